import type { MiddlewareHandler } from "hono";
import type { IndexSigner } from "../../adapters/index-signature/index-signer.ts";
import type { CorePort } from "../../contracts/core/core-port.ts";
import type { AdminEnv } from "./principal.ts";

/** One line of the log: JSON data, with the trace id of the request that it is about. */
export type LogLine = Record<string, string | number | boolean | null>;

/** Everything the admin app needs from outside. main.ts makes it from the Worker's environment, tests from parts. */
export interface AdminDeps {
  core: CorePort;
  indexSigner: IndexSigner;
  /** Key of the digests of request bodies that idempotent replay compares; at least 16 characters. */
  idempotencyKey: string;
  /** The regions a rule can name and a client can be in. */
  regions: readonly string[];
  /** Sets `principal` or throws `unauthenticated` / `unavailable`. */
  authenticate: MiddlewareHandler<AdminEnv>;
  /** What /readyz asks, by name; each rejects or answers false when the part is not there. */
  readiness: Readonly<Record<string, () => Promise<boolean>>>;
  log: (line: LogLine) => void;
}
