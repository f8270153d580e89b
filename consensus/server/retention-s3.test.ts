import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { S3ObjectStorage } from "../../adapters/object-storage/s3-object-storage.ts";
import { FaultyS3, type S3Request } from "../../adapters/object-storage/testing/faulty-s3.ts";
import { readArchivedVersion } from "./retention-archive.ts";
import { openTestingRetention, type TestingRetentionNode } from "./testing-retention.ts";

const MINUTE_MS = 60_000;
const VERSIONS = 5;

let s3: FaultyS3;
let node: TestingRetentionNode<S3ObjectStorage>;
let id: string;
let asked: string[];
beforeAll(async () => {
  s3 = await FaultyS3.start();
});
afterAll(() => s3.stop());
beforeEach(async () => {
  node = await openTestingRetention(s3.openStorage());
  id = await node.config("a", VERSIONS);
  listen();
});
afterEach(async () => {
  s3.judge = () => null;
  await node.close();
});

const numberOf = (name: string): number => Number(/\/(\d{16})-/.exec(name)?.[1]);
/** Has the endpoint do as told; notes what it is asked of which version from now on. */
function listen(judge: FaultyS3["judge"] = () => null): void {
  asked = [];
  s3.judge = (request) => {
    if (numberOf(request.path) > 0) asked.push(`${request.method} ${numberOf(request.path)}`);
    return judge(request);
  };
}
/** The names of the archived versions, each of which is read and proven first. */
async function proven(): Promise<string[]> {
  const names = await node.archived();
  for (const name of names) {
    const { archived, content } = await readArchivedVersion(node.storage, name);
    expect([archived.config.id, archived.version.version_id]).toEqual([id, numberOf(name)]);
    expect(new TextDecoder().decode(content)).toBe(`a version ${numberOf(name)}`);
  }
  return names;
}

describe("C10 removed versions go to S3", () => {
  it("C10 each is written, read back, and only then removed", async () => {
    await node.retention.tick();
    expect(node.versions(id)).toEqual([VERSIONS]);
    expect(asked).toEqual([1, 2, 3, 4].flatMap((n) => [`PUT ${n}`, `GET ${n}`]));
    expect((await proven()).map(numberOf)).toEqual([1, 2, 3, 4]);
    expect(await node.metric("conflux_retention_removed_versions_total")).toBe(4);
    expect(node.broken()).toEqual([]);
  });

  it.each([
    ["hangs up when the third is written", "PUT", "hang_up", [1, 2], "S3 does not answer: "],
    ["is silent then", "PUT", "silence", [1, 2], "S3 does not answer: "],
    ["answers 500 then", "PUT", "error", [1, 2], "S3 does not answer: InternalError: as the test says"],
    ["refuses the key then", "PUT", "deny", [1, 2], "S3 refuses: SignatureDoesNotMatch: as the test says"],
    ["has the third and cannot tell", "GET", "error", [1, 2, 3], "S3 does not answer: InternalError"],
    ["breaks off while it tells", "GET", "cut_off", [1, 2, 3], "did not arrive whole from S3: "],
    ["tells half and stops", "GET", "half_silence", [1, 2, 3], "did not arrive whole from S3: "],
    ["tells it with another byte", "GET", "garbled", [1, 2, 3], "did not arrive whole from S3: "],
    ["holds another byte", "GET", "changed", [1, 2, 3], "is damaged: it is not what its name says"],
    ["holds half of it", "GET", "shorter", [1, 2, 3], "is damaged: it is not what its name says"],
  ] as const)(
    "C10 an endpoint that %s: nothing is removed, and asked again it is the same objects",
    async (_, method, fault, written, why) => {
      const hits = (request: S3Request): boolean => request.method === method && numberOf(request.path) === 3;
      listen((request) => (hits(request) ? fault : null));
      const { proposals } = node.log;
      await node.retention.tick();
      expect([node.versions(id), node.log.proposals]).toEqual([[1, 2, 3, 4, 5], proposals]);
      expect(node.lines.at(-1)).toMatchObject({
        level: "warn",
        error: expect.stringContaining(why) as unknown,
      });
      expect(await node.metric("conflux_retention_failures_total")).toBe(1);
      expect(await node.metric("conflux_retention_removed_versions_total")).toBe(0);
      // What came after it was not begun.
      expect(asked.filter((one) => one.endsWith(" 4"))).toEqual([]);
      listen();
      const before = await proven();
      expect(before.map(numberOf)).toEqual(written);
      node.at.nowMs += MINUTE_MS;
      await node.retention.tick();
      expect(node.versions(id)).toEqual([VERSIONS]);
      const after = await proven();
      expect(after.map(numberOf)).toEqual([1, 2, 3, 4]);
      expect(after.slice(0, before.length)).toEqual(before);
      expect(node.broken()).toEqual([]);
    },
  );

  it("C10 a node that ends before the removal: the next one writes the same objects", async () => {
    node.log.failAt = node.log.proposals + 1;
    await node.retention.tick();
    const before = await proven();
    expect([node.versions(id), before.map(numberOf)]).toEqual([
      [1, 2, 3, 4, 5],
      [1, 2, 3, 4],
    ]);
    Object.assign(node.log, { failAt: Infinity, failure: null });
    await node.again().tick();
    expect([node.versions(id), await proven()]).toEqual([[VERSIONS], before]);
  });
});
