/**
 * P1, P2, P7, K3 through the whole system: a data source with a secret goes stage by stage over real edges, its reader opens the
 * secret with its own identity at KMS, and the secret stands nowhere else.
 */
import { randomBytes } from "node:crypto";
import { RotateKeyOnDemandCommand } from "@aws-sdk/client-kms";
import { afterAll, beforeAll, expect, test } from "vitest";
import { decryptEnvelope } from "../../sdk/decrypt-envelope.ts";
import { findInFiles, findPlanted, formsOf } from "../testing/find-planted.ts";
import { makePlace, type Place, type Stack, startStack, until } from "../testing/stack.ts";
import { admin, adminOk, getRaw } from "../testing/stack-client.ts";
import { dumpDatabase, openDatabase, openKms, stackDecryptor } from "../testing/stack-keys.ts";

const E2E_MS_MAX = 300_000;
const SOURCES = "/gray/data-sources";
const NAME = "demo/gray/data-source/pop-gateway";
const STAGE1 = "ap-southeast-2";
const STAGE2 = ["cn-chengdu", "cn-shanghai"];
const OTHERS = ["us-east-1", "eu-central-1"];
const word = (): string => randomBytes(12).toString("hex");
const [SECRET, NEXT_SECRET] = [word(), word()];
const FORMS = [SECRET, NEXT_SECRET].flatMap(formsOf);
/** Stands in a column that is no secret: the search below must find it. */
const CANARY = `canary-${word()}`;

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

type Json = Record<string, unknown>;

/** What a region's edge serves; null where it is 404. */
async function servedIn(region: string, minIndex: string): Promise<{ version: string; json: Json } | null> {
  const { port } = new URL(stack.dev.edge_url);
  const headers = { host: `${region}.localhost:${port}`, "x-conflux-min-index": minIndex };
  const answer = await getRaw(stack, `/api/v1/fetch/config/${NAME}`, headers);
  if (answer.status === 404) return null;
  expect([region, answer.status]).toEqual([region, 200]);
  return { version: String(answer.headers.get("x-config-version")), json: JSON.parse(answer.text) as Json };
}
const versionsIn = async (regions: readonly string[], minIndex: string): Promise<(string | null)[]> =>
  Promise.all(regions.map(async (region) => (await servedIn(region, minIndex))?.version ?? null));
async function open(json: Json | undefined): Promise<string> {
  const body = JSON.stringify(json?.["sealed_accesskey_secret"]);
  const opened = await decryptEnvelope({ body, config: NAME, decryptDataKey: stackDecryptor(stack) });
  return Buffer.from(opened).toString();
}

test(
  "P1 P2 P7 K3 a data source goes through its stages, two versions side by side, and its secret is its reader's alone",
  async () => {
    // As api.md has it: the columns alone, without a tenant.
    const body = { source: "pop-gateway", source_group: CANARY, loghub_accesskey_secret: SECRET };
    const created = await adminOk(stack, "POST", SOURCES, body);
    expect([created.status, created.json["status"], created.json["tenant"]]).toEqual([201, "draft", "demo"]);
    const at = `${SOURCES}/${String(created.json["id"])}`;
    expect(await servedIn(STAGE1, String(created.json["index"]))).toBe(null);

    const act = async (verb: string): Promise<{ status: unknown; index: string }> => {
      const { json } = await adminOk(stack, "POST", `${at}/${verb}`);
      return { status: json["status"], index: String(json["index"]) };
    };
    await act("publish");
    await act("advance");
    const full = await act("advance");
    expect(full.status).toBe("full");
    const everywhere = [STAGE1, ...STAGE2, ...OTHERS];
    expect(await versionsIn(everywhere, full.index)).toEqual(everywhere.map(() => "1"));

    // The next version, and another secret.
    const edited = await adminOk(stack, "PUT", at, {
      gateway_type: "POP",
      loghub_accesskey_secret: NEXT_SECRET,
    });
    expect(edited.json).toMatchObject({ status: "draft", loghub_accesskey_secret: null });
    const begun = await act("publish");
    expect(await versionsIn(everywhere, begun.index)).toEqual(["2", "1", "1", "1", "1"]);
    const [fresh, old] = [await servedIn(STAGE1, begun.index), await servedIn("us-east-1", begun.index)];
    expect([fresh?.json["gateway_type"], old?.json["gateway_type"]]).toEqual(["POP", null]);
    expect([await open(fresh?.json), await open(old?.json)]).toEqual([NEXT_SECRET, SECRET]);

    // All of it is in the log: a start after kill -9 goes on where it stood.
    const pid = stack.dev.pids.core[0] ?? 0;
    process.kill(pid, "SIGKILL");
    await until(() => (stack.dev.pids.core[0] ?? pid) !== pid, "the core is back");
    const versions = await until(async () => {
      const answer = await admin(stack, "GET", `${at}/versions`);
      return answer.status === 200 && (answer.json["items"] as Json[]);
    }, "the core answers again");
    expect(versions.map((item) => [item["status"], item["effective_gray_groups"]])).toEqual([
      ["stage1", [STAGE1]],
      ["full", [...OTHERS, ...STAGE2]],
    ]);
    const second = await act("advance");
    expect(await versionsIn(everywhere, second.index)).toEqual(["2", "2", "2", "1", "1"]);
    const last = await act("advance");
    expect(await versionsIn(everywhere, last.index)).toEqual(everywhere.map(() => "2"));

    // K3: under the key's next material it is the same version with the same secret, and another ETag.
    const kms = openKms(stack);
    await kms.send(new RotateKeyOnDemandCommand({ KeyId: "alias/conflux-configs" }));
    kms.destroy();
    const { json: rewrapped } = await adminOk(stack, "POST", "/mgt/encryption/rewrap", {
      tenant: "demo",
      app: "gray",
    });
    expect(rewrapped).toMatchObject({ rewrapped: 2, resume_cursor: null });
    const moved = await servedIn(STAGE1, String(rewrapped["index"]));
    const wrappedKey = (json: Json = {}): unknown =>
      (json["sealed_accesskey_secret"] as Json | undefined)?.["wrapped_key"];
    expect([moved?.version, await open(moved?.json)]).toEqual(["2", NEXT_SECRET]);
    expect(wrappedKey(moved?.json)).toEqual(expect.any(String));
    expect(wrappedKey(moved?.json)).not.toBe(wrappedKey(fresh?.json));

    // What the source document's kinds refuse, and nothing of it in what is kept.
    const bad = await admin(stack, "POST", SOURCES, { ...body, loghub_endpoint: "not one" });
    expect([bad.status, bad.json["errors"]]).toMatchObject([400, [{ path: "/loghub_endpoint" }]]);
    await adminOk(stack, "POST", "/mgt/cluster/snapshot", {});
    const audit = await until(async () => {
      const { text } = await adminOk(stack, "GET", "/audit-logs?limit=200");
      return text.includes("stage2 to full") && text.split("stage2 to full").length > 2 && text;
    }, "the audit has the last write");
    const sql = openDatabase(stack);
    const shown = [audit, await dumpDatabase(sql), stack.output(), edited.text, created.text];
    await sql.end();
    expect(shown.flatMap((text) => findPlanted(Buffer.from(text), FORMS))).toEqual([]);
    expect(findInFiles(stack.dataDir, FORMS)).toEqual([]);
    expect(findInFiles(stack.dataDir, formsOf(CANARY)).length).toBeGreaterThan(0);
  },
  E2E_MS_MAX,
);
