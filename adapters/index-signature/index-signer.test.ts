import { describe, expect, it } from "vitest";
import { createIndexSigner } from "./index-signer.ts";

const position = { cluster_id: "c1", epoch: 1, index: 42 };
const KEY = "a key of the tests alone";

describe("index signer", () => {
  it("E5 verifies what it signed, also another signer of the same key", async () => {
    const token = await createIndexSigner(KEY).sign(position);
    expect(token).toMatch(/^c1\.1\.42\.[A-Za-z0-9_-]{11}$/);
    expect(await createIndexSigner(KEY).verify(token)).toEqual(position);
  });

  it("E5 refuses a forged, altered, foreign or malformed token", async () => {
    const signer = createIndexSigner(KEY);
    const token = await signer.sign(position);
    const foreign = await createIndexSigner(`${KEY}!`).sign(position);
    const altered = [
      foreign,
      token.replace(".42.", ".43."),
      token.replace("c1.1.", "c1.2."),
      token.replace("c1.", "c2."),
      token.slice(0, -1),
      `${token}A`,
      "",
      "1",
      "c1.1.42",
    ];
    for (const forged of altered) expect(await signer.verify(forged)).toBeNull();
  });

  it("E5 E9 gives a part of an index a token that fetches from the index and resumes before it", async () => {
    const signer = createIndexSigner(KEY);
    const [whole, part] = [await signer.sign(position), await signer.signPart(position)];
    expect(part).toMatch(/^c1\.1\.42\.[A-Za-z0-9_-]{11}$/);
    expect(part).not.toBe(whole);
    const other = createIndexSigner(KEY);
    expect(await other.verify(part)).toEqual(position);
    expect(await other.verifyResume(part)).toEqual({ ...position, index: 41 });
    expect(await other.verifyResume(whole)).toEqual(position);
    for (const forged of [part.replace(".42.", ".43."), `${part}A`, ""]) {
      expect(await other.verify(forged)).toBeNull();
      expect(await other.verifyResume(forged)).toBeNull();
    }
  });

  it("is right for more positions than it keeps", async () => {
    const signer = createIndexSigner(KEY);
    for (let index = 0; index < 200; index += 1) {
      const token = await signer.sign({ ...position, index });
      expect(await signer.verify(token)).toEqual({ ...position, index });
    }
    expect(await signer.sign({ ...position, index: 0 })).toBe(
      await createIndexSigner(KEY).sign({ ...position, index: 0 }),
    );
  });

  it("refuses a short key", () => {
    expect(() => createIndexSigner("short")).toThrow(RangeError);
  });
});
