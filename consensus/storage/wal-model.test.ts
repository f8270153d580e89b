import fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { array, assert as assertProperty, asyncProperty, double, nat, oneof, record } from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import type { Entry, HardState } from "../raft/types.ts";
import { faultyFileLayer } from "./faulty-file-layer.testing.ts";
import { openWal, type Wal } from "./wal.ts";

const root = fs.mkdtempSync(join(tmpdir(), "conflux-wal-model-"));
afterAll(() => fs.rmSync(root, { recursive: true, force: true }));
let serial = 0;
const files = faultyFileLayer({ skipSyncs: true });
const membership = { voters: [1], outgoing: [], learners: [] };

/** What a log holds; the simplest thing that could be right. */
interface Model {
  base: number;
  entries: Entry[];
  hardState: HardState;
}
type Operation =
  | { kind: "append"; back: number; sizes: number[] }
  | { kind: "compact"; share: number }
  | { kind: "commit" };

const operations = array(
  oneof(
    {
      weight: 5,
      arbitrary: record({
        kind: constantly("append"),
        back: nat(3),
        sizes: array(nat(300), { minLength: 1, maxLength: 5 }),
      }),
    },
    {
      weight: 1,
      arbitrary: record({ kind: constantly("compact"), share: double({ min: 0, max: 1, noNaN: true }) }),
    },
    { weight: 1, arbitrary: record({ kind: constantly("commit") }) },
  ),
  { minLength: 5, maxLength: 30 },
);
function constantly<T extends string>(value: T) {
  return nat(0).map(() => value);
}

/** Does the operation to both; answers the model after it. */
async function run(wal: Wal, model: Model, operation: Operation): Promise<Model> {
  const last = model.base + model.entries.length;
  if (operation.kind === "compact") {
    const index = model.base + Math.round(operation.share * model.entries.length);
    if (index === model.base) return model;
    await wal.compact({ index, term: wal.log.term(index)!, membership });
    return { ...model, base: index, entries: model.entries.slice(index - model.base) };
  }
  if (operation.kind === "commit") {
    const hardState = { ...model.hardState, commit: last };
    await wal.append({ hardState });
    return { ...model, hardState };
  }
  const from = Math.max(model.base + 1, last + 1 - operation.back);
  const term = model.hardState.term + 1;
  const entries = operation.sizes.map((size, i): Entry => ({
    index: from + i,
    term,
    kind: "command",
    data: new Uint8Array(size).fill(term),
  }));
  const hardState = { term, vote: term % 4, commit: model.base };
  await wal.append({ entries, hardState });
  return {
    base: model.base,
    entries: [...model.entries.slice(0, from - model.base - 1), ...entries],
    hardState,
  };
}

function open(directory: string): Promise<Wal> {
  const onPoisoned = (error: Error): void => {
    throw error;
  };
  return openWal({ directory, files, segmentBytes: 1500, preallocateBytes: 512, onPoisoned });
}

function holds(wal: Wal): Omit<Model, "hardState"> & { term: number; vote: number } {
  const base = wal.log.firstIndex() - 1;
  const { term, vote } = wal.hardState();
  return { base, entries: wal.log.entries(base + 1, wal.log.lastIndex() + 1, Infinity), term, vote };
}
function shows(model: Model): ReturnType<typeof holds> {
  const { base, entries, hardState } = model;
  return { base, entries, term: hardState.term, vote: hardState.vote };
}

describe("R3 write-ahead log against a model", () => {
  it("R3 holds what the model holds after a reopen, and after a cut holds what it held after some operation", async () => {
    await assertProperty(
      asyncProperty(operations, double({ min: 0, max: 1, noNaN: true }), async (list, share) => {
        const directory = join(root, String((serial += 1)));
        const wal = await open(directory);
        let model: Model = { base: 0, entries: [], hardState: { term: 0, vote: 0, commit: 0 } };
        const history = [shows(model)];
        for (const operation of list) {
          model = await run(wal, model, operation);
          history.push(shows(model));
        }
        expect(holds(wal)).toEqual(shows(model));
        await wal.close();
        const again = await open(directory);
        expect(holds(again)).toEqual(shows(model));
        expect(again.hardState()).toEqual(model.hardState);
        expect(again.report.repaired).toBeNull();
        await again.close();

        const path = join(directory, fs.readdirSync(directory).toSorted().at(-1)!);
        const bytes = fs.readFileSync(path);
        const begun = 400;
        fs.truncateSync(path, Math.round(begun + share * Math.max(0, bytes.byteLength - begun)));
        const cut = await open(directory).catch((error: unknown) => error as Error);
        if (cut instanceof Error) {
          // Only a cut into what a segment begins with, which is durable before the segment has its name.
          expect(cut.message).toMatch(/no first record|is missing|in no segment/);
          return;
        }
        expect(history).toContainEqual(holds(cut));
        await cut.close();
      }),
      { numRuns: 60 },
    );
  }, 60_000);
});
