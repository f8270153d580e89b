import { expect, it } from "vitest";
import {
  HINT_DELAY_S_MAX,
  HINTS_MAX,
  type PublishHint,
  type PublishHintQueue,
} from "../../../contracts/publish/publish-hint-queue.ts";

/** A queue without messages, and a look at what it holds: texts and how long they were held back, in any order. */
export interface HintQueueUnderTest {
  queue: PublishHintQueue;
  held: () => { body: string; delay_s: number }[];
}

/** What every `PublishHintQueue` promises. */
export function publishHintQueueConformance(make: () => Promise<HintQueueUnderTest>): void {
  const hints = (n: number): PublishHint[] =>
    Array.from({ length: n }, (_, i) => ({ publish_id: `pub-c1-${i}-9`, delay_s: i }));
  const asHeld = (sent: readonly PublishHint[]) =>
    sent.map(({ publish_id, delay_s }) => ({ body: JSON.stringify({ publish_id }), delay_s }));
  const sorted = (messages: { body: string; delay_s: number }[]) =>
    messages.toSorted((a, b) => a.delay_s - b.delay_s || a.body.localeCompare(b.body));

  it.each([0, 1, 10, 11, 37, HINTS_MAX])("takes %i hints at once, each with its delay", async (n) => {
    const { queue, held } = await make();
    expect(await queue.send(hints(n))).toEqual([]);
    expect(sorted(held())).toEqual(asHeld(hints(n)));
  });

  it("takes the longest delay, none, and the same hint twice", async () => {
    const { queue, held } = await make();
    const sent = [0, 0, HINT_DELAY_S_MAX].map((delay_s) => ({ publish_id: "pub-c1-1-2", delay_s }));
    expect(await queue.send(sent)).toEqual([]);
    expect(sorted(held())).toEqual(asHeld(sent));
  });

  it("names what is over the limit of one send, and takes the rest", async () => {
    const { queue, held } = await make();
    const sent = hints(HINTS_MAX + 2);
    const unsent = await queue.send(sent);
    expect(unsent.map(({ hint }) => hint)).toEqual(sent.slice(HINTS_MAX));
    expect(unsent.every(({ reason }) => reason.length > 0)).toBe(true);
    expect(sorted(held())).toEqual(asHeld(sent.slice(0, HINTS_MAX)));
  });
}
