import { randomBytes } from "node:crypto";
import { expect, it } from "vitest";
import { OBJECT_BYTES_MAX, type ObjectStorage } from "../../../contracts/object-storage/object-storage.ts";

/** What every storage must do; `open` answers an empty one. */
export function objectStorageConformance(open: () => Promise<ObjectStorage>): void {
  const text = (value: string): Uint8Array => new TextEncoder().encode(value);

  it("R13 gives back what was put, and the newest of one name", async () => {
    const storage = await open();
    const large = new Uint8Array(randomBytes(300_000));
    await storage.put("c1/a/chunk-0", large);
    expect(Buffer.from(await storage.get("c1/a/chunk-0", 1_000_000)).equals(large)).toBe(true);
    await storage.put("c1/a/chunk-0", text("new"));
    expect(Buffer.from(await storage.get("c1/a/chunk-0", 10)).toString()).toBe("new");
    await storage.put("c1/a/empty", new Uint8Array());
    expect(await storage.get("c1/a/empty", 10)).toHaveLength(0);
  });

  it("R13 says not_found, and payload_too_large before it reads", async () => {
    const storage = await open();
    await storage.put("x", text("12345"));
    await expect(storage.get("y", 10)).rejects.toMatchObject({ code: "not_found" });
    await expect(storage.get("x/y", 10)).rejects.toMatchObject({ code: "not_found" });
    await expect(storage.get("x", 4)).rejects.toMatchObject({ code: "payload_too_large" });
    expect(await storage.get("x", 5)).toHaveLength(5);
  });

  it("R13 lists by prefix in order, page by page", async () => {
    const storage = await open();
    const names = ["c1/b/1", "c1/a/2", "c1/a/1", "c2/a/1", "c1/ab/1"];
    for (const name of names) await storage.put(name, text(name));
    const all = await storage.list("c1/", { after: null, limit: 100 });
    expect(all.items.map(({ name }) => name)).toEqual(["c1/a/1", "c1/a/2", "c1/ab/1", "c1/b/1"]);
    expect(all.next).toBeNull();
    expect(all.items[0]).toMatchObject({ bytes: 6 });
    expect(all.items[0]?.modifiedAtMs).toBeGreaterThan(1e12);
    const first = await storage.list("c1/", { after: null, limit: 3 });
    expect(first.next).toBe("c1/ab/1");
    const rest = await storage.list("c1/", { after: first.next, limit: 3 });
    expect(rest).toMatchObject({ items: [{ name: "c1/b/1" }], next: null });
    expect(await storage.list("c9/", { after: null, limit: 3 })).toEqual({ items: [], next: null });
  });

  it("R13 removes, also what is not there", async () => {
    const storage = await open();
    await storage.put("c1/a/1", text("1"));
    await storage.put("c1/a/2", text("2"));
    await storage.remove(["c1/a/1", "c1/a/9", "c3/none"]);
    const left = await storage.list("", { after: null, limit: 9 });
    expect(left.items.map(({ name }) => name)).toEqual(["c1/a/2"]);
    await storage.remove([]);
  });

  it("R13 refuses names that lead elsewhere, and objects over the limit", async () => {
    const storage = await open();
    for (const name of [
      "",
      "/etc/passwd",
      "../a",
      "a/../b",
      "a//b",
      ".hidden",
      "a/.b",
      "a b",
      "x".repeat(600),
    ]) {
      await expect(storage.put(name, text("1"))).rejects.toBeInstanceOf(RangeError);
      await expect(storage.get(name, 1)).rejects.toBeInstanceOf(RangeError);
      await expect(storage.remove([name])).rejects.toBeInstanceOf(RangeError);
    }
    const over = new Uint8Array(OBJECT_BYTES_MAX + 1);
    await expect(storage.put("a", over)).rejects.toBeInstanceOf(RangeError);
  });
}
