import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { ArchivedVersion } from "../../contracts/retention/archived-version.ts";
import { makePlace, type Place, type Stack, startStack, until } from "../testing/stack.ts";
import { admin, adminOk, fetchConfig } from "../testing/stack-client.ts";

const E2E_MS_MAX = 300_000;

let place: Place;
let stack: Stack;
beforeAll(async () => {
  place = await makePlace();
  stack = await startStack({ place, env: { CONFLUX_RETENTION_INTERVAL_S: "1" } });
});
afterAll(async () => {
  await stack.stop();
  place.remove();
});

const sha256 = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");
const textOf = (name: string, n: number): string => JSON.stringify({ name, n });
const mgt = (id: string, rest = ""): string => `/mgt/configs/${id}${rest}`;

async function create(name: string, count: number): Promise<string> {
  const body = { tenant: "demo", app: "shop", env: "prod", name, format: "json", release: true };
  const { json } = await adminOk(stack, "POST", "/mgt/configs", { ...body, content: textOf(name, 1) });
  const id = String(json["id"]);
  for (let n = 2; n <= count; n += 1) {
    await adminOk(stack, "POST", mgt(id, "/versions"), { content: textOf(name, n), description: `of ${n}` });
  }
  return id;
}

/** All of them, the newest first, page by page. */
async function versions(id: string): Promise<number[]> {
  const numbers: number[] = [];
  let cursor = "";
  do {
    const { json } = await adminOk(stack, "GET", mgt(id, `/versions?limit=200${cursor}`));
    numbers.push(...(json["items"] as { version_id: number }[]).map(({ version_id }) => version_id));
    const next = json["next_cursor"] as string | null;
    cursor = next === null ? "" : `&cursor=${next}`;
  } while (cursor !== "");
  return numbers;
}

/** What lies in the archive of a config: each is what its name says. */
function archived(id: string): ArchivedVersion[] {
  const folder = join(stack.dataDir, "backups/c1/versions/demo", id);
  return readdirSync(folder)
    .filter((file) => file.endsWith(".json"))
    .toSorted()
    .map((file) => {
      const bytes = readFileSync(join(folder, file));
      expect(file).toMatch(new RegExp(`^\\d{16}-${sha256(bytes)}\\.json$`));
      return JSON.parse(bytes.toString()) as ArchivedVersion;
    });
}
const contentOf = (document: ArchivedVersion): string =>
  Buffer.from(document.content_base64, "base64").toString();

describe("C10 retention, through the public interface", () => {
  it("C10 ten versions, three kept, a rule on the first: 1, 8, 9 and 10 stay, the others are archived and told of", async () => {
    const id = await create("kept.json", 10);
    const before = (await adminOk(stack, "GET", mgt(id))).json;
    const kept = await adminOk(stack, "PUT", mgt(id, "/retention"), { count: 3 });
    await until(async () => (await versions(id)).length <= 4, "what is due has been removed");
    expect(await versions(id)).toEqual([10, 9, 8, 1]);
    expect((await adminOk(stack, "GET", mgt(id))).json).toMatchObject({
      latest_version_id: 10,
      etag: kept.json["etag"],
      releases: before["releases"],
    });

    const served = await fetchConfig(stack, "demo/shop/prod/kept.json", {
      minIndex: String(kept.json["index"]),
    });
    expect([served.status, served.text]).toEqual([200, textOf("kept.json", 1)]);
    const documents = archived(id);
    expect(documents.map(({ version }) => version.version_id)).toEqual([2, 3, 4, 5, 6, 7]);
    for (const document of documents) {
      const n = document.version.version_id;
      expect(contentOf(document)).toBe(textOf("kept.json", n));
      expect(document.version).toMatchObject({ description: `of ${n}`, creator: "admin", format: "json" });
      expect(document.version.sha256).toBe(sha256(Buffer.from(textOf("kept.json", n))));
    }

    const said = /version 5 was archived and removed by the config's retention/;
    for (const path of ["/versions/5", "/versions/5/content", "/diff?from=5&to=10"]) {
      const gone = await admin(stack, "GET", mgt(id, path));
      expect([gone.status, gone.json["code"]]).toEqual([404, "not_found"]);
      expect(gone.json["detail"]).toMatch(said);
    }
    const publish = { version_id: 5, strategy: { type: "all" } };
    for (const [path, body] of [
      ["/rollback", { version_id: 5 }],
      ["/publish", publish],
    ] as const) {
      const refused = await admin(stack, "POST", mgt(id, path), body);
      expect([refused.status, refused.json["code"]]).toEqual([400, "validation_failed"]);
      expect(refused.json["detail"]).toMatch(said);
    }
    const rules = [{ labels: {}, version_id: 5, priority: 0 }];
    const refused = await admin(stack, "PUT", mgt(id, "/releases"), rules);
    expect(refused.json["errors"]).toMatchObject([{ message: expect.stringMatching(said) as unknown }]);

    const next = await adminOk(stack, "POST", mgt(id, "/versions"), { content: "{}", description: "" });
    expect(next.json["version_id"]).toBe(11);
    await until(async () => (await versions(id)).join() === "11,10,9,1", "the fourth newest has gone");
    const rows = await until(async () => {
      const path = "/audit-logs?resource=demo/shop/prod/kept.json&action=delete";
      const { json } = await adminOk(stack, "GET", path);
      const items = json["items"] as { summary: string }[];
      return items.length === 2 ? items : null;
    }, "both removals are in the audit");
    const where = `archived below c1/versions/demo/${id}/`;
    expect(rows.map(({ summary }) => summary).toSorted()).toEqual([
      `removed version 8 by the retention, ${where}`,
      `removed versions 2-7 by the retention, ${where}`,
    ]);
  });

  it(
    "C10 a core that is killed in the middle of it goes on: each version is archived, once, before it goes",
    async () => {
      const many = 130;
      const id = await create("killed.json", many);
      await adminOk(stack, "PUT", mgt(id, "/retention"), { count: 1 });
      const folder = join(stack.dataDir, "backups/c1/versions/demo", id);
      await until(() => existsSync(folder) && readdirSync(folder).length > 10, "the archive has begun");
      const [core] = stack.dev.pids.core;
      process.kill(core!, "SIGKILL");
      await until(() => stack.dev.pids.core[0] !== core, "the core runs again");
      const left = await until(
        async () => {
          const answer = await admin(stack, "GET", mgt(id, "/versions?limit=200"));
          if (answer.status !== 200) return null;
          const items = answer.json["items"] as { version_id: number }[];
          return items.length === 2 ? items.map(({ version_id }) => version_id) : null;
        },
        "what is due has been removed",
        E2E_MS_MAX / 2,
      );
      expect(left).toEqual([many, 1]);
      const documents = archived(id);
      expect(documents.map(({ version }) => version.version_id)).toEqual(
        Array.from({ length: many - 2 }, (_, i) => i + 2),
      );
      for (const document of documents) {
        expect(contentOf(document)).toBe(textOf("killed.json", document.version.version_id));
      }
    },
    E2E_MS_MAX,
  );
});
