import { createHash, randomBytes } from "node:crypto";
import { COMMAND_CONTENT_TYPE, encodeCommand } from "../../contracts/core/command-codec.ts";
import { testCommand, testConfigPayload } from "../../domain/command/testing-commands.ts";
import type { GrpcCall } from "./raft-grpc-client.ts";
import { encodeRequest } from "./raft-http-client.ts";
import type { LoadPlan } from "./raft-load-plan.ts";

/** Keys that puts and reads go round. */
const KEYS = 1_024;
/** Versions made in advance: contents repeat only after so many, as good as never in a run. */
const VERSIONS = 16_384;
export const CONFIGS = 1_000;

const keyOf = (i: number): string => `bench-${i}`;
const base64 = (text: string): string => Buffer.from(text).toString("base64");

/** The requests of a plan for an HTTP interface, to be sent round and round. */
export function httpRequests(plan: LoadPlan): Buffer[] {
  if (plan.via === "conflux") return confluxRequests(plan);
  if (plan.via === "core") return coreRequests(plan);
  return Array.from({ length: KEYS }, (_, i) => etcdRequest(plan, i));
}

function etcdRequest({ operation, valueBytes }: LoadPlan, i: number): Buffer {
  const key = base64(keyOf(i));
  const isPut = operation === "put";
  const body = isPut
    ? { key, value: randomBytes(valueBytes).toString("base64") }
    : { key, serializable: operation === "read stale" };
  return encodeRequest(
    "POST",
    isPut ? "/v3/kv/put" : "/v3/kv/range",
    { "content-type": "application/json" },
    Buffer.from(JSON.stringify(body)),
  );
}

function confluxRequests({ operation, valueBytes, token }: LoadPlan): Buffer[] {
  const headers = { authorization: `Bearer ${token}` };
  return Array.from({ length: KEYS }, (_, i) => {
    const path = `/v1/kv/${keyOf(i)}`;
    if (operation !== "put") {
      const consistency = operation === "read stale" ? "stale" : "linearizable";
      return encodeRequest("GET", `${path}?consistency=${consistency}`, headers);
    }
    return encodeRequest(
      "POST",
      path,
      { ...headers, "content-type": "application/octet-stream" },
      randomBytes(valueBytes),
    );
  });
}

function coreRequests({ operation, valueBytes, token, configIds }: LoadPlan): Buffer[] {
  const headers = { authorization: `Bearer ${token}`, "content-type": COMMAND_CONTENT_TYPE };
  const count = operation === "create config" ? CONFIGS : VERSIONS;
  return Array.from({ length: count }, (_, i) => {
    const bytes = Buffer.from(JSON.stringify({ i, text: randomBytes(valueBytes).toString("hex") })).subarray(
      0,
      valueBytes,
    );
    const sha256 = createHash("sha256").update(bytes).digest("hex");
    const command =
      operation === "create config"
        ? testCommand("create_config", testConfigPayload(`bench-${i}.json`, sha256, { format: "text" }))
        : testCommand("create_version", {
            config_id: configIds[i % configIds.length]!,
            content: { attachment: 0, sha256 },
            format: null,
            schema: null,
            description: "bench",
          });
    return encodeRequest("POST", "/v1/propose", headers, encodeCommand({ command, attachments: [bytes] }));
  });
}

/** The calls of a plan for etcd's gRPC interface. */
export function grpcCalls({ operation, valueBytes }: LoadPlan): GrpcCall[] {
  return Array.from({ length: KEYS }, (_, i): GrpcCall => {
    const key = Buffer.from(keyOf(i));
    if (operation === "put") return { method: "Put", request: { key, value: randomBytes(valueBytes) } };
    return { method: "Range", request: { key, serializable: operation === "read stale" } };
  });
}
