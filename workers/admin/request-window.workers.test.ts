import { abortAllDurableObjects, evictDurableObject, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { describe, expect, it, vi } from "vitest";
import type { WindowVerdict } from "../../domain/quota/sliding-window.ts";
import type { RequestWindow } from "./request-window.ts";
import { openRequestWindows } from "./request-windows.ts";

const namespace = (env as unknown as { REQUEST_WINDOW: DurableObjectNamespace<RequestWindow> })
  .REQUEST_WINDOW;
const CLIENTS = 64;
let serial = 0;
const newName = (): string => `tenant/t${(serial += 1)}`;
const granted = (verdicts: readonly WindowVerdict[]): number => verdicts.filter((v) => v.granted).length;
/** Resolves when what the window has granted is written down. */
async function untilKept(name: string, total: number): Promise<void> {
  await vi.waitFor(
    async () => {
      const kept = await runInDurableObject(namespace.getByName(name), (_, { storage }) =>
        storage.get<{ granted: number }[]>("slices"),
      );
      expect(kept?.reduce((sum, slice) => sum + slice.granted, 0)).toBe(total);
    },
    { timeout: 10_000 },
  );
}

describe("A6 the window of a tenant's requests", () => {
  it("is exact with 64 clients at once that reach it from several isolates", async () => {
    const name = newName();
    const isolates = [openRequestWindows(namespace, 10_000), openRequestWindows(namespace, 10_000)];
    const limit = 1000;
    const perClient = 20;
    const clients = Array.from({ length: CLIENTS }, async (_, client) => {
      const verdicts: WindowVerdict[] = [];
      for (let i = 0; i < perClient; i += 1) {
        const isolate = isolates[(client + i) % isolates.length];
        if (isolate !== undefined) verdicts.push(await isolate.take(name, limit));
      }
      return verdicts;
    });
    const verdicts = (await Promise.all(clients)).flat();
    expect(verdicts).toHaveLength(CLIENTS * perClient);
    expect(granted(verdicts)).toBe(limit);
    for (const verdict of verdicts) {
      if (!verdict.granted) expect(verdict.retryAfterMs).toBeGreaterThan(0);
    }
  });

  it("counts each tenant by itself", async () => {
    const windows = openRequestWindows(namespace);
    const [one, other] = [newName(), newName()];
    expect((await windows.take(one, 1)).granted).toBe(true);
    expect((await windows.take(one, 1)).granted).toBe(false);
    expect((await windows.take(other, 1)).granted).toBe(true);
  });

  it.each([
    ["an eviction", (name: string) => evictDurableObject(namespace.getByName(name))],
    ["a crash, of what it had written down", () => abortAllDurableObjects()],
  ])("goes on after %s", async (_, end) => {
    const name = newName();
    const windows = openRequestWindows(namespace);
    for (let i = 0; i < 5; i += 1) await windows.take(name, 5);
    await untilKept(name, 5);
    await end(name);
    const verdict = await windows.take(name, 5);
    expect(verdict.granted).toBe(false);
    expect(await windows.take(name, 6)).toEqual({ granted: true });
  });

  it("that does not answer is away after its deadline", async () => {
    const never = { getByName: () => ({ take: () => new Promise<WindowVerdict>(() => undefined) }) };
    await expect(openRequestWindows(never, 10).take("x", 1)).rejects.toThrow("no answer within 10 ms");
  });
});
