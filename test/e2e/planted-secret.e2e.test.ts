/**
 * K5: a secret is planted as the content of encrypted configs, in every way in which a write can end, and then looked for in
 * all that the system has written or shows. The search is proven on texts that are not encrypted.
 */
import { randomBytes } from "node:crypto";
import { appendFileSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { DynamoDBClient, PutItemCommand, ScanCommand } from "@aws-sdk/client-dynamodb";
import { RotateKeyOnDemandCommand } from "@aws-sdk/client-kms";
import { afterAll, beforeAll, expect, test } from "vitest";
import { CoreClient } from "../../adapters/core-client/core-client.ts";
import { DYNAMODB_TABLES, FEED_CURSORS_TABLE } from "../../contracts/dynamodb/tables.ts";
import { decryptEnvelope } from "../../sdk/decrypt-envelope.ts";
import { findInFiles, findPlanted, formsOf, type PlantedForm } from "../testing/find-planted.ts";
import { makePlace, type Place, type Stack, startStack, until } from "../testing/stack.ts";
import { admin, adminOk, fetchConfig } from "../testing/stack-client.ts";
import { dumpDatabase, openDatabase, openKms, stackDecryptor } from "../testing/stack-keys.ts";

const E2E_MS_MAX = 300_000;
const CONFIGS = "/mgt/configs";
const word = (): string => randomBytes(12).toString("hex");
/** Words that nothing quotes only in part, between characters that JSON, URLs and logs write in several ways. */
const WORDS = [word(), word(), word()];
const SECRET = `${WORDS[0]}"\\${WORDS[1]}é/&\t${WORDS[2]}`;
const SECRET_FORMS: PlantedForm[] = [SECRET, ...WORDS].flatMap(formsOf);
/** Stands in a config's content, which is not encrypted. */
const CANARY = `canary-${word()}`;
/** Stands in a config's name, so in the audit and in Postgres too. */
const NAMED_CANARY = `named-${word()}`;

let place: Place;
let stack: Stack;
beforeAll(async () => {
  place = await makePlace();
  stack = await startStack({ place });
}, E2E_MS_MAX);
afterAll(async () => {
  await stack.stop();
  place.remove();
});

const memo = (): Record<string, string | number> =>
  JSON.parse(readFileSync(join(stack.dataDir, "memo.json"), "utf8")) as Record<string, string | number>;
const json = (value: unknown): string => JSON.stringify(value);
const base = { tenant: "demo", app: "shop", env: "prod", format: "json", release: true };
const secretBody = (name: string, more: object = {}) => ({
  ...base,
  name,
  content: json({ password: SECRET }),
  encrypt: true,
  ...more,
});
const idOf = (answer: { json: Record<string, unknown> }): string => String(answer.json["id"]);

/** Every way in which a write of the secret can end; answers its status codes by name. */
async function writeInEveryWay(): Promise<Record<string, number>> {
  const statuses: Record<string, number> = {};
  const post = async (as: string, path: string, body: unknown, headers: Record<string, string> = {}) => {
    const answer = await admin(stack, "POST", path, body, headers);
    statuses[as] = answer.status;
    return answer;
  };
  const key = { "x-idempotency-key": "the-same" };
  const id = idOf(await post("created", CONFIGS, secretBody("secret.json"), key));
  // First of the refusals, so that the audit has a row of its own for it.
  const noNames = { schema: { type: "object", additionalProperties: false } };
  await post("a name in it", CONFIGS, secretBody("n.json", { ...noNames, content: json({ [SECRET]: 1 }) }));
  await post("replayed", CONFIGS, secretBody("secret.json"), key);
  await post("taken", CONFIGS, secretBody("secret.json"));
  await post("key of another body", CONFIGS, secretBody("other.json"), key);
  const content = json({ password: SECRET, more: 1 });
  await post("version", `${CONFIGS}/${id}/versions`, { content, description: "next" });
  await post("stale", `${CONFIGS}/${id}/versions`, { content }, { "if-match": '"1"' });
  await post("publish", `${CONFIGS}/${id}/publish`, {
    content,
    strategy: { type: "canary", canary_labels: { canary: "true" } },
  });
  await post("publish while one runs", `${CONFIGS}/${id}/publish`, { content, strategy: { type: "all" } });
  const enumSchema = { type: "object", properties: { password: { enum: ["right"] } } };
  const patternSchema = { properties: { password: { type: "string", pattern: "^[a-z]{3}$", maxLength: 3 } } };
  for (const [i, schema] of [enumSchema, patternSchema, { const: 1 }].entries())
    await post(`schema ${i}`, CONFIGS, secretBody(`schema-${i}.json`, { schema }));
  for (const [format, text] of [
    ["json", `{"password": ${SECRET}`],
    ["yaml", `password: "${SECRET}\n- [}`],
    ["toml", `password = ${SECRET}`],
    ["properties", `password=\\u00zz${SECRET}`],
  ] as const)
    await post(`no ${format}`, CONFIGS, secretBody(`bad.${format}`, { format, content: text }));
  await post("too large", CONFIGS, secretBody("large.json", { content: json(SECRET.repeat(120_000)) }));
  await post("no json", CONFIGS, `{"content": ${SECRET}`);
  await post("an unknown field", CONFIGS, secretBody("unknown.json", { passwrod: SECRET }));
  await post("a name that is none", CONFIGS, secretBody("../x"));
  await post("no token", CONFIGS, secretBody("who.json"), { authorization: "Bearer x.y.z" });
  await post("another tenant", CONFIGS, secretBody("theirs.json", { tenant: "nobodys" }));
  const gone = idOf(await post("created too", CONFIGS, secretBody("gone.json")));
  const add = { "x-idempotency-key": "added" };
  await post("added", `${CONFIGS}/${gone}/versions`, { content }, add);
  await adminOk(stack, "DELETE", `${CONFIGS}/${gone}`);
  await post("replayed after the end", `${CONFIGS}/${gone}/versions`, { content }, add);
  await post("after the end", `${CONFIGS}/${gone}/versions`, { content }, { "x-idempotency-key": "late" });
  const bytes = Buffer.from(SECRET).toString("base64");
  await post(
    "binary",
    CONFIGS,
    secretBody("b.bin", { format: "binary", content: undefined, content_base64: bytes }),
  );
  return statuses;
}

/** The key service slow and refusing, the core killed under writes. */
async function writeUnderFaults(): Promise<Record<string, number>> {
  const statuses: Record<string, number> = {};
  const kms = stack.dev.pids.kms ?? 0;
  process.kill(kms, "SIGSTOP");
  try {
    statuses["slow"] = (await admin(stack, "POST", CONFIGS, secretBody("slow.json"))).status;
  } finally {
    process.kill(kms, "SIGCONT");
  }
  const sql = openDatabase(stack);
  await sql`insert into applications (tenant_id, name, kms_key_id) values ('demo', 'keyless', 'alias/none')
    on conflict (tenant_id, name) do update set kms_key_id = 'alias/none'`;
  await sql.end();
  statuses["refused"] = (
    await admin(stack, "POST", CONFIGS, secretBody("r.json", { app: "keyless" }))
  ).status;
  const pid = stack.dev.pids.core[0] ?? 0;
  const writes = Array.from({ length: 8 }, (_, i) => {
    const body = secretBody(`killed-${i}.json`);
    return admin(stack, "POST", CONFIGS, body, { "x-idempotency-key": `killed-${i}` });
  });
  process.kill(pid, "SIGKILL");
  await Promise.all(writes);
  await until(() => (stack.dev.pids.core[0] ?? pid) !== pid, "the core is back");
  await until(
    async () => (await admin(stack, "POST", CONFIGS, secretBody("after-kill.json"))).status === 201,
    "the core takes writes again",
  );
  return statuses;
}

/** All that is kept and shown, by place, as bytes. */
async function collect(): Promise<Map<string, Buffer>> {
  const found = new Map<string, Buffer>();
  const core = new CoreClient({
    urls: stack.dev.core_urls,
    serviceKey: String(
      (JSON.parse(readFileSync(join(stack.dataDir, "secrets.json"), "utf8")) as Record<string, string>)[
        "core_service_key"
      ],
    ),
    role: "admin",
  });
  const put = (where: string, text: string): void => void found.set(where, Buffer.from(text));
  put("feed", json(await core.feed({ after: 0, limit: 1000, wait_ms: 0, view: "full" })));
  put("edge feed", json(await core.edgeFeed({ after: 0, limit: 1000, wait_ms: 0 })));
  put("edge snapshot", json(await core.edgeSnapshot({ cursor: null, limit: 200 })));
  const metrics = await fetch(`${stack.dev.core_urls[0]}/metrics`);
  put("metrics", await metrics.text());
  put("audit", (await adminOk(stack, "GET", "/audit-logs?limit=200")).text);
  put("what npm start printed", stack.output());
  const sql = openDatabase(stack);
  put("postgres", await dumpDatabase(sql));
  await sql.end();
  const dynamoDb = new DynamoDBClient({
    endpoint: `http://127.0.0.1:${memo()["dynamodb_port"]}`,
    region: "us-east-1",
    credentials: { accessKeyId: "local", secretAccessKey: "local" },
  });
  await dynamoDb.send(
    new PutItemCommand({
      TableName: FEED_CURSORS_TABLE.tableName,
      Item: { cursor_id: { S: `planted/${CANARY}` } },
    }),
  );
  for (const { tableName } of DYNAMODB_TABLES)
    put(`dynamodb ${tableName}`, json(await dynamoDb.send(new ScanCommand({ TableName: tableName }))));
  dynamoDb.destroy();
  return found;
}

const searchFiles = (forms: readonly PlantedForm[]): string[] =>
  [stack.dataDir, String(memo()["postgres_dir"])].flatMap((directory) => findInFiles(directory, forms));
const searchIn = (places: ReadonlyMap<string, Buffer>, forms: readonly PlantedForm[]): string[] =>
  [...places].flatMap(([where, bytes]) => findPlanted(bytes, forms).map((form) => `${where}: ${form}`));

async function snapshotAndBackup(): Promise<void> {
  await adminOk(stack, "POST", "/mgt/cluster/snapshot", {});
  let { json: job } = await adminOk(stack, "POST", "/mgt/cluster/backups");
  while (job["state"] === "running")
    ({ json: job } = await adminOk(stack, "GET", `/mgt/cluster/jobs/${String(job["job_id"])}?wait_ms=5000`));
  expect(job["state"]).toBe("complete");
}

test(
  "K5 a planted plaintext secret stands nowhere, whatever became of its writes; one that is not encrypted is found",
  async () => {
    await adminOk(stack, "POST", CONFIGS, {
      ...base,
      name: `${NAMED_CANARY}.json`,
      content: json({ a: CANARY }),
    });
    expect(await writeInEveryWay()).toEqual({
      created: 201,
      "a name in it": 400,
      replayed: 201,
      taken: 409,
      "key of another body": 409,
      version: 201,
      stale: 412,
      publish: 202,
      "publish while one runs": 409,
      "schema 0": 400,
      "schema 1": 400,
      "schema 2": 400,
      "no json": 400,
      "no yaml": 400,
      "no toml": 400,
      "no properties": 400,
      "too large": 413,
      "an unknown field": 400,
      "a name that is none": 400,
      "no token": 401,
      "another tenant": 403,
      "created too": 201,
      added: 201,
      "replayed after the end": 201,
      "after the end": 404,
      binary: 201,
    });
    expect(await writeUnderFaults()).toEqual({ slow: 503, refused: 503 });
    const kms = openKms(stack);
    await kms.send(new RotateKeyOnDemandCommand({ KeyId: "alias/conflux-configs" }));
    kms.destroy();
    const { json: rewrapped } = await adminOk(stack, "POST", "/mgt/encryption/rewrap", { tenant: "demo" });
    expect(rewrapped["rewrapped"]).toBeGreaterThan(0);

    // The edge has read, kept and served it, and its reader opens it.
    const minIndex = String(rewrapped["index"]);
    const fetched = await fetchConfig(stack, "demo/shop/prod/secret.json", { minIndex });
    const opened = await decryptEnvelope({
      body: fetched.text,
      config: "demo/shop/prod/secret.json",
      decryptDataKey: stackDecryptor(stack),
    });
    expect(JSON.parse(Buffer.from(opened).toString())).toMatchObject({ password: SECRET });
    await fetchConfig(stack, `demo/shop/prod/${NAMED_CANARY}.json`, { minIndex });
    await snapshotAndBackup();
    // The projection has caught up, so that the audit is there to be searched.
    await until(
      async () =>
        (await adminOk(stack, "GET", "/audit-logs?limit=200")).text.includes("wrapped the data keys"),
      "the audit has the last write",
    );
    appendFileSync(join(stack.dataDir, "logs", "planted.log"), `{"msg":${json(CANARY)}}\n`);

    const places = await collect();
    expect(searchIn(places, SECRET_FORMS)).toEqual([]);
    expect(searchFiles(SECRET_FORMS)).toEqual([]);

    // The same search finds what is there to be found.
    const proven = searchIn(places, [CANARY, NAMED_CANARY].flatMap(formsOf));
    for (const where of [
      "feed",
      "edge feed",
      "edge snapshot",
      "audit",
      "postgres",
      `dynamodb ${FEED_CURSORS_TABLE.tableName}`,
    ])
      expect(
        proven.filter((hit) => hit.startsWith(`${where}: `)),
        where,
      ).not.toEqual([]);
    const files = searchFiles(formsOf(CANARY)).join("\n");
    for (const where of [
      /core-1\/.*wal/i,
      /core-1\/state\.db/,
      /backups\//,
      /workers\/.*kv/i,
      /workers\/.*do/i,
      /logs\/planted/,
    ])
      expect(files).toMatch(where);

    await stack.stop();
    expect(searchFiles(SECRET_FORMS)).toEqual([]);
    stack = await startStack({ place });
    const again = await fetchConfig(stack, "demo/shop/prod/secret.json");
    expect(again.text).toBe(fetched.text);
    expect(searchFiles(SECRET_FORMS)).toEqual([]);
    expect(searchIn(await collect(), SECRET_FORMS)).toEqual([]);
  },
  E2E_MS_MAX,
);
