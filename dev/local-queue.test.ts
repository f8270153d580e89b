import { expect, test } from "vitest";
import { LocalQueue } from "./local-queue.ts";

const HOUR_MS = 3_600_000;
const make = (changes: Partial<ConstructorParameters<typeof LocalQueue>[0]> = {}) =>
  new LocalQueue({ messagesMax: 100, retryMs: 0, receivesMax: 3, ...changes });
const texts = (messages: { body: string }[]): string[] => messages.map(({ body }) => body);

test("L1 delivers what is visible, the first to become so first, so many at once", async () => {
  const queue = make();
  for (const body of ["a", "b", "c"]) queue.send(body, 0);
  queue.send("later", HOUR_MS);
  expect(texts(await queue.receive(2))).toEqual(["a", "b"]);
  expect(await queue.receive(2)).toMatchObject([{ body: "c", receiveCount: 1 }]);
});

test("L1 who waits is woken by a message, and by the end of a delay", async () => {
  const queue = make();
  const first = queue.receive(9);
  queue.send("delayed", 20);
  queue.send("now", 0);
  expect(texts(await first)).toEqual(["now"]);
  const [delayed] = await queue.receive(9);
  expect(delayed?.body).toBe("delayed");
  expect(Date.now()).toBeGreaterThanOrEqual((delayed?.sentAtMs ?? 0) + 20);
});

test("L1 what failed comes again until it was delivered often enough; what was done does not", async () => {
  const queue = make();
  queue.send("good", 0);
  queue.send("bad", 0);
  let batch = await queue.receive(9);
  for (const count of [1, 2, 3]) {
    const bad = batch.filter(({ body }) => body === "bad");
    expect(bad.map(({ receiveCount }) => receiveCount)).toEqual([count]);
    expect(texts(queue.settle(batch, bad))).toEqual(count === 3 ? ["bad"] : []);
    if (count < 3) batch = await queue.receive(9);
  }
  queue.send("next", 0);
  expect(texts(await queue.receive(9))).toEqual(["next"]);
});

test("L1 has a limit, which what is being worked on and what is delayed count against", async () => {
  const queue = make({ messagesMax: 2 });
  expect([queue.send("a", 0), queue.send("b", HOUR_MS)]).not.toContain(null);
  expect(queue.send("c", 0)).toBeNull();
  const batch = await queue.receive(9);
  expect(queue.send("c", 0)).toBeNull();
  queue.settle(batch, []);
  expect(queue.send("c", 0)).not.toBeNull();
});
