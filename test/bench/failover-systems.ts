import { createHash } from "node:crypto";
import { CoreClient } from "../../adapters/core-client/core-client.ts";
import { ServiceTokens } from "../../adapters/core-client/service-token.ts";
import { COMMAND_CONTENT_TYPE, encodeCommand } from "../../contracts/core/command-codec.ts";
import { testCommand, testConfigPayload } from "../../domain/command/testing-commands.ts";
import { CoreCluster } from "../testing/core-cluster.ts";
import type { NodeProcess } from "../testing/node-process.ts";
import { until } from "../testing/stack.ts";
import { startEtcdCluster } from "./etcd-cluster.ts";

const SERVICE_KEY = "failover-bench-service-key-failover-bench";
const VALUE = Buffer.alloc(256, "v");

export interface FailoverNode {
  url: string;
  process: NodeProcess;
}

/** Three nodes that elect a leader, as the benchmark sees either system. */
export interface FailoverSystem {
  name: "conflux" | "etcd";
  nodes: readonly FailoverNode[];
  leader(): Promise<FailoverNode>;
  term(): Promise<number>;
  /** Waits until every node runs and has taken a write. */
  whole(): Promise<void>;
  /** Asks one node for one write of 256 B. True: acknowledged. Never rejects. */
  write(node: FailoverNode, timeoutMs: number): Promise<boolean>;
  stop(): Promise<void>;
}

export async function startConfluxSystem(directory: string): Promise<FailoverSystem> {
  const cluster = await CoreCluster.start({ directory, serviceKey: SERVICE_KEY });
  const tokens = new ServiceTokens(SERVICE_KEY, "admin", Date.now);
  const client = new CoreClient({ urls: cluster.urls, serviceKey: SERVICE_KEY, role: "admin" });
  const content = { attachment: 0, sha256: createHash("sha256").update(VALUE).digest("hex") };
  const payload = testConfigPayload("failover", content.sha256, { format: "text" });
  const { result } = await client.propose({
    command: testCommand("create_config", payload),
    attachments: [VALUE],
  });
  const version = { config_id: result.config.id, content, format: null, schema: null, description: "" };
  const body = encodeCommand({ command: testCommand("create_version", version), attachments: [VALUE] });
  return {
    name: "conflux",
    nodes: cluster.nodes,
    leader: () => cluster.leader(),
    term: () => cluster.term(),
    whole: async () => {
      await cluster.whole();
    },
    write: async (node, timeoutMs) => {
      const headers = {
        authorization: `Bearer ${await tokens.token()}`,
        "content-type": COMMAND_CONTENT_TYPE,
      };
      return post(`${node.url}/v1/propose`, { headers, body: new Uint8Array(body) }, timeoutMs);
    },
    stop: () => cluster.kill(),
  };
}

/** Null when etcd is not installed. */
export async function startEtcdSystem(directory: string): Promise<FailoverSystem | null> {
  const cluster = await startEtcdCluster(directory);
  if (cluster === null) return null;
  const body = JSON.stringify({
    key: Buffer.from("failover").toString("base64"),
    value: VALUE.toString("base64"),
  });
  const write: FailoverSystem["write"] = (node, timeoutMs) =>
    post(`${node.url}/v3/kv/put`, { headers: {}, body }, timeoutMs);
  return {
    name: "etcd",
    nodes: cluster.nodes,
    leader: () => cluster.leader(),
    term: () => cluster.term(),
    whole: async () => {
      await until(async () => {
        const written = await Promise.all(cluster.nodes.map((node) => write(node, 1_000)));
        return written.every(Boolean);
      }, "every etcd node takes a write");
    },
    write,
    stop: () => cluster.stop(),
  };
}

async function post(
  url: string,
  init: { headers: Record<string, string>; body: string | Uint8Array<ArrayBuffer> },
  timeoutMs: number,
): Promise<boolean> {
  try {
    const response = await fetch(url, { method: "POST", signal: AbortSignal.timeout(timeoutMs), ...init });
    await response.arrayBuffer();
    return response.ok;
  } catch {
    // The node is gone, or is going: this write does not count.
    return false;
  }
}
