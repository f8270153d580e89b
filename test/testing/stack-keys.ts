import { readFileSync } from "node:fs";
import { join } from "node:path";
import { KMSClient } from "@aws-sdk/client-kms";
import postgres from "postgres";
import { KmsKeyService } from "../../adapters/kms/kms-key-service.ts";
import type { DecryptDataKey } from "../../sdk/decrypt-envelope.ts";
import type { Stack } from "./stack.ts";

function readJson(stack: Stack, file: string): Record<string, string | number> {
  return JSON.parse(readFileSync(join(stack.dataDir, file), "utf8")) as Record<string, string | number>;
}

/** Where a stack's KMS is, for whoever may use it. */
export function stackKms(stack: Stack) {
  return {
    url: `http://127.0.0.1:${readJson(stack, "memo.json")["kms_port"]}`,
    region: "us-east-1",
    credentials: {
      accessKeyId: String(readJson(stack, "secrets.json")["kms_access_key_id"]),
      secretAccessKey: "local",
    },
  };
}

/** The stack's KMS as AWS's own client speaks to it. */
export function openKms(stack: Stack): KMSClient {
  const { url, ...options } = stackKms(stack);
  return new KMSClient({ ...options, endpoint: url });
}

/** How an application with an identity at the stack's KMS opens data keys. */
export function stackDecryptor(stack: Stack): DecryptDataKey {
  const keys = new KmsKeyService(stackKms(stack));
  return (wrapped, keyId, context) => keys.decryptDataKey({ keyId, wrapped, context: { ...context } });
}

/** By which the core knows the stack's own processes. */
export function coreServiceKey(stack: Stack): string {
  return String(readJson(stack, "secrets.json")["core_service_key"]);
}

/** The stack's database, as its owner. */
export function openDatabase(stack: Stack): postgres.Sql {
  return postgres({
    host: "127.0.0.1",
    port: Number(readJson(stack, "memo.json")["postgres_port"]),
    username: "postgres",
    password: String(readJson(stack, "secrets.json")["postgres_password"]),
    database: "conflux",
    max: 1,
    onnotice: () => undefined,
  });
}

/** Every row of every table, as text. */
export async function dumpDatabase(sql: postgres.Sql): Promise<string> {
  const tables = await sql<{ name: string }[]>`
    select format('%I.%I', table_schema, table_name) as name from information_schema.tables
    where table_type = 'BASE TABLE' and table_schema not in ('pg_catalog', 'information_schema') order by 1`;
  const parts: string[] = [];
  for (const { name } of tables) {
    const rows = await sql.unsafe<{ row: string }[]>(`select t::text as row from ${name} t`);
    parts.push(name, ...rows.map(({ row }) => row));
  }
  return parts.join("\n");
}
