import { createIndexSigner } from "../../adapters/index-signature/index-signer.ts";
import type { ContentSealer } from "../../adapters/kms/content-sealer.ts";
import { MemoryCore } from "../../adapters/memory/memory-core.ts";
import { sealGateSecret } from "../../adapters/publish-gate/gate-secret.ts";
import { CONTENT_BYTES_MAX } from "../../contracts/limits.ts";
import { ConfluxError } from "../../contracts/problem/error-codes.ts";
import { type Problem, problemSchema } from "../../contracts/problem/problem.ts";
import { matchesPattern } from "../../domain/access/scope.ts";
import { createAdmin } from "./app.ts";
import type { PermissionAction } from "../../domain/access/permits.ts";
import type { Refusal } from "./refusal.ts";
import type { AdminDeps, LogLine } from "./principal.ts";

export interface Grant {
  action: PermissionAction | "*";
  pattern: string;
}
/** Tokens of the tests, and what each may do. */
export const GRANTS: Record<string, Grant[]> = {
  admin: [{ action: "*", pattern: "**" }],
  reader: [
    { action: "read", pattern: "demo/**" },
    { action: "list", pattern: "demo/shop/*/*" },
  ],
  writer: [
    { action: "read", pattern: "demo/**" },
    { action: "write", pattern: "demo/**" },
  ],
  operator: [{ action: "execute", pattern: "_system/**" }],
  tenant: [{ action: "*", pattern: "demo/**" }],
  publisher: [
    { action: "read", pattern: "demo/**" },
    { action: "publish", pattern: "demo/**" },
  ],
  approver: [
    { action: "read", pattern: "demo/**" },
    { action: "approve", pattern: "demo/**" },
  ],
  /** Sees the names of all typed configs, and what is in one of them. */
  lister: [
    { action: "list", pattern: "demo/gray/*/*" },
    { action: "read", pattern: "demo/gray/data-source/b" },
  ],
  stranger: [{ action: "*", pattern: "other/**" }],
};

/** Of every tenant: more than a test asks for by accident. */
export const TEST_QUOTAS = {
  maxConfigs: 10_000,
  maxConfigSizeBytes: CONTENT_BYTES_MAX,
  maxApiRequestsPerMinute: 100_000,
};

/** What seals the secrets of gates. */
export const TEST_GATE_KEY = "service-key-of-the-tests-of-32-bytes";

export const TEST_REGIONS = ["us-east-1", "cn-chengdu"];

/** The admin app on the core in memory, with a principal made from the bearer token's name. */
export function testingAdmin({ sealer, ...overrides }: Partial<AdminDeps> & { sealer?: ContentSealer } = {}) {
  const core = new MemoryCore(sealer === undefined ? {} : { sealer });
  const logs: LogLine[] = [];
  const refusals: Refusal[] = [];
  const app = createAdmin({
    core,
    indexSigner: createIndexSigner("index-key-of-the-tests"),
    idempotencyKey: "idempotency-key-of-the-tests",
    regions: TEST_REGIONS,
    readiness: { core: async () => (await core.status()).leader_id !== null },
    log: (line) => logs.push(line),
    applicationKeys: async () => ({}),
    tenantOf: async (_c, named) => named ?? "demo",
    sealGateSecret: (input) => sealGateSecret(TEST_GATE_KEY, input),
    noteRefusal: (_c, refusal) => refusals.push(refusal),
    quotasOf: async () => TEST_QUOTAS,
    authenticate: async (c, next) => {
      const name = /^Bearer (\w+)$/.exec(c.req.header("authorization") ?? "")?.[1] ?? "";
      const grants = GRANTS[name];
      if (!grants) throw new ConfluxError("unauthenticated", "A bearer token is required");
      c.set("principal", {
        actor: { type: "user", id: `user-${name}`, name },
        issuedAtMs: Date.now(),
        ip: "192.0.2.1",
        allows: async (action, resource) =>
          grants.some(
            (g) => (g.action === "*" || g.action === action) && matchesPattern(g.pattern, resource),
          ),
        hasEnded: async () => false,
      });
      await next();
    },
    ...overrides,
  });

  /** Sends a request; a body that is not text or bytes goes as JSON. */
  async function send(
    method: string,
    path: string,
    body?: unknown,
    headers: Record<string, string> = {},
  ): Promise<Response> {
    const raw = typeof body === "string" || body instanceof Uint8Array || body === undefined;
    return app.request(path, {
      method,
      headers: {
        authorization: "Bearer admin",
        ...(body === undefined ? {} : { "content-type": "application/json" }),
        ...headers,
      },
      ...(body === undefined
        ? {}
        : { body: raw ? (body as string | Uint8Array<ArrayBuffer>) : JSON.stringify(body) }),
    });
  }
  return { app, core, logs, refusals, send };
}
export type TestingAdmin = ReturnType<typeof testingAdmin>;

/** A config that the schema accepts; `changes` replace its fields. */
export function newConfig(changes: Record<string, unknown> = {}): Record<string, unknown> {
  return {
    tenant: "demo",
    app: "shop",
    env: "prod",
    name: "app.json",
    format: "json",
    content: '{"retries": 2}',
    ...changes,
  };
}

export async function readProblem(response: Response): Promise<Problem> {
  return problemSchema.parse(await response.json());
}
