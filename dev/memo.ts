import { readFileSync } from "node:fs";
import { z } from "zod";
import { systemErrorCode } from "./refusal.ts";
import { writeFileAtomically } from "./write-file-atomically.ts";

const memoSchema = z.object({
  /** How many core nodes the cluster has. */
  nodes: z.number().int().optional(),
  /** `Settings.corePort` that the core's state has in the nodes' addresses, since a further node was to be let in. */
  core_port: z.number().int().optional(),
  /** Folder of the embedded Postgres's cluster. */
  postgres_dir: z.string().optional(),
  /** Where the embedded Postgres listened last time. */
  postgres_port: z.number().int().optional(),
  /** The same of the local DynamoDB and KMS. */
  dynamodb_port: z.number().int().optional(),
  kms_port: z.number().int().optional(),
  /** The first start has put its sample data in. */
  sample_data: z.boolean().optional(),
  /** The first password of user `admin`, until it has been printed. */
  unprinted_password: z.string().optional(),
  /** The client token of dev.json, kept as long as it is good for a while. */
  client_token: z.string().optional(),
});
export type Memo = z.infer<typeof memoSchema>;

/** Small things to remember from start to start; a damaged file is an empty one (it is written atomically). */
export function readMemo(path: string): Memo {
  try {
    const parsed = memoSchema.safeParse(JSON.parse(readFileSync(path, "utf8")));
    return parsed.success ? parsed.data : {};
  } catch (error) {
    if (error instanceof SyntaxError || systemErrorCode(error) === "ENOENT") return {};
    throw error;
  }
}

/** Adds `changes` to what is remembered; a value of undefined forgets. */
export function remember(path: string, changes: { [K in keyof Memo]: Memo[K] | undefined }): void {
  writeFileAtomically(path, JSON.stringify({ ...readMemo(path), ...changes }));
}
