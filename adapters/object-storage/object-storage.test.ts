import { randomBytes } from "node:crypto";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startFauxqs } from "fauxqs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { ObjectStorage } from "../../contracts/object-storage/object-storage.ts";
import { DirectoryObjectStorage } from "./directory-object-storage.ts";
import { MemoryObjectStorage } from "./memory-object-storage.ts";
import { openObjectStorage } from "./open-object-storage.ts";
import { S3ObjectStorage } from "./s3-object-storage.ts";
import { FaultyS3 } from "./testing/faulty-s3.ts";
import { objectStorageConformance } from "./testing/object-storage-conformance.ts";

const root = mkdtempSync(join(tmpdir(), "conflux-objects-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));
let count = 0;
const newPath = (): string => join(root, String((count += 1)), "below");

describe("in memory", () => objectStorageConformance(async () => new MemoryObjectStorage()));
describe("in a directory", () => objectStorageConformance(async () => new DirectoryObjectStorage(newPath())));

describe("in S3", () => {
  let server: Awaited<ReturnType<typeof startFauxqs>>;
  beforeAll(async () => {
    server = await startFauxqs({ port: 0, logger: false });
  });
  afterAll(() => server.stop());
  const openS3 = (bucket: string): ObjectStorage =>
    openObjectStorage(`s3://${bucket}/some/prefix/`, {
      url: `http://127.0.0.1:${server.port}`,
      region: "us-east-1",
      credentials: { accessKeyId: "test", secretAccessKey: "test" },
    });

  objectStorageConformance(async () => {
    const bucket = `bucket-${(count += 1)}`;
    server.createBucket(bucket);
    return openS3(bucket);
  });

  it("R13 is unavailable without its bucket and without its server", async () => {
    await expect(openS3("no-such-bucket").put("a", new Uint8Array(1))).rejects.toMatchObject({
      code: "unavailable",
    });
    const away = openObjectStorage("s3://bucket", {
      url: "http://127.0.0.1:1",
      region: "us-east-1",
      credentials: { accessKeyId: "test", secretAccessKey: "test" },
    });
    await expect(away.list("", { after: null, limit: 1 })).rejects.toMatchObject({ code: "unavailable" });
  });
});

describe("an S3 that fails", () => {
  let s3: FaultyS3;
  let storage: S3ObjectStorage;
  beforeAll(async () => {
    s3 = await FaultyS3.start();
    const { bucket, endpoint } = s3;
    storage = new S3ObjectStorage({ bucket, prefix: "p/", endpoint, requestMsMax: 200, callMsMax: 1_500 });
    await storage.put("a", new Uint8Array(randomBytes(100_000)));
  });
  afterAll(() => s3.stop());
  const all = { after: null, limit: 10 };

  it.each([
    ["hang_up", /^S3 does not answer: /],
    ["silence", /^S3 does not answer: .*200 ms/],
    ["error", /^S3 does not answer: InternalError: as the test says$/],
    ["deny", /^S3 refuses: SignatureDoesNotMatch: as the test says$/],
  ] as const)("R13 %s: every verb says unavailable, and why", async (fault, why) => {
    s3.judge = () => fault;
    const away = { code: "unavailable", message: expect.stringMatching(why) as unknown };
    await expect(storage.put("b", new Uint8Array(10))).rejects.toMatchObject(away);
    await expect(storage.get("a", 1e6)).rejects.toMatchObject(away);
    await expect(storage.list("", all)).rejects.toMatchObject(away);
    await expect(storage.remove(["a"])).rejects.toMatchObject(away);
    s3.judge = () => null;
    expect((await storage.list("", all)).items.map(({ name }) => name)).toEqual(["a"]);
    expect(await storage.get("a", 1e6)).toHaveLength(100_000);
  });

  it.each(["cut_off", "half_silence", "garbled"] as const)(
    "R13 %s: an answer that is not whole is told, and ends",
    async (fault) => {
      s3.judge = () => fault;
      const why = expect.stringMatching(/^a did not arrive whole from S3: /) as unknown;
      await expect(storage.get("a", 1e6)).rejects.toMatchObject({ code: "unavailable", message: why });
      s3.judge = () => null;
      expect(await storage.get("a", 1e6)).toHaveLength(100_000);
    },
  );
});

describe("a directory", () => {
  it("R13 never shows a partial file, and sweeps away one that a crash left", async () => {
    const path = newPath();
    const storage = new DirectoryObjectStorage(path);
    await storage.put("c1/a", new Uint8Array(1));
    const [old, young] = [join(path, "c1", ".partial-old"), join(path, "c1", ".partial-young")];
    writeFileSync(old, "half");
    writeFileSync(young, "half");
    utimesSync(old, 1, 1);
    const { items } = await storage.list("c1/", { after: null, limit: 10 });
    expect(items.map(({ name }) => name)).toEqual(["c1/a"]);
    expect(readdirSync(join(path, "c1")).toSorted()).toEqual([".partial-young", "a"]);
  });

  it("R13 leaves no empty folders behind", async () => {
    const path = newPath();
    const storage = new DirectoryObjectStorage(path);
    await storage.put("c1/b/1", new Uint8Array(1));
    await storage.put("c1/b/2", new Uint8Array(1));
    await storage.remove(["c1/b/1"]);
    expect(readdirSync(join(path, "c1"))).toEqual(["b"]);
    await storage.remove(["c1/b/2"]);
    expect(readdirSync(join(path, "c1"))).toEqual([]);
  });

  it("R13 is unavailable where a file is in its place", async () => {
    const path = join(root, "a-file");
    mkdirSync(root, { recursive: true });
    writeFileSync(path, "");
    const storage = new DirectoryObjectStorage(path);
    const away = { code: "unavailable", message: expect.stringContaining("cannot be used") as unknown };
    await expect(storage.put("c1/a", new Uint8Array(1))).rejects.toMatchObject(away);
    await expect(storage.get("c1/a", 1)).rejects.toMatchObject(away);
    for (const prefix of ["c1/", ""]) {
      await expect(storage.list(prefix, { after: null, limit: 1 })).rejects.toMatchObject(away);
    }
    const below = new DirectoryObjectStorage(join(path, "below"));
    await expect(below.list("c1/", { after: null, limit: 1 })).rejects.toMatchObject(away);
  });
});

describe("the place of a storage", () => {
  it.each([
    ["/var/backups", "file:///var/backups/"],
    ["file:///var/backups/", "file:///var/backups/"],
    ["s3://my-bucket", "s3://my-bucket/"],
    ["s3://my-bucket/a/b//", "s3://my-bucket/a/b/"],
  ])("R13 %s", (place, url) => {
    expect(openObjectStorage(place, { region: "us-east-1" }).url).toBe(url);
  });

  it.each(["", "backups", "http://x", "s3://", "s3://UPPER", "s3://bucket/a b", "file://host/x"])(
    'R13 refuses "%s"',
    (place) => {
      expect(() => openObjectStorage(place, {})).toThrow("s3://bucket/prefix");
    },
  );
});
