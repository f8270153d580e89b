import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { PROBE_PAUSE_MS, PROBE_TIMEOUT_MS, SILENCE_MS, watchSilence } from "./watch-silence.ts";

/** Rejects when its signal is aborted, and counts. */
function hanging() {
  const signals: AbortSignal[] = [];
  const call = (signal: AbortSignal): Promise<never> => {
    signals.push(signal);
    return new Promise((_resolve, reject) => {
      signal.addEventListener("abort", () => reject(signal.reason as Error));
    });
  };
  return { signals, call };
}

describe("R14 a node that answers nothing", () => {
  beforeEach(() => {
    vi.useFakeTimers();
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  it("is not asked whether it is there while it answers soon", async () => {
    const probe = hanging();
    const sent = watchSilence({
      send: async () => "answer",
      probe: probe.call,
      probeTimeoutMs: PROBE_TIMEOUT_MS,
    });
    expect(await sent).toBe("answer");
    expect([probe.signals.length, vi.getTimerCount()]).toEqual([0, 0]);
  });

  it("is given up once a probe failed", async () => {
    const probe = vi.fn<() => Promise<void>>(() => Promise.reject(new Error("connection reset")));
    const sent = watchSilence({ send: hanging().call, probe, probeTimeoutMs: PROBE_TIMEOUT_MS });
    const outcome = expect(sent).rejects.toMatchObject({
      message: "the node does not answer",
      cause: { message: "connection reset" },
    });
    await vi.advanceTimersByTimeAsync(SILENCE_MS - 1);
    expect(probe).not.toHaveBeenCalled();
    await vi.advanceTimersByTimeAsync(1);
    await outcome;
    expect(vi.getTimerCount()).toBe(0);
  });

  it("is waited for as long as it answers probes, which come in their pace", async () => {
    const probe = vi.fn<() => Promise<void>>(async () => undefined);
    const answer = Promise.withResolvers<string>();
    const sent = watchSilence({ send: () => answer.promise, probe, probeTimeoutMs: PROBE_TIMEOUT_MS });
    await vi.advanceTimersByTimeAsync(SILENCE_MS + 3 * PROBE_PAUSE_MS);
    expect(probe).toHaveBeenCalledTimes(4);
    answer.resolve("late");
    expect(await sent).toBe("late");
    expect(vi.getTimerCount()).toBe(0);
  });

  it("an answer ends its probe, and a probe that ends so does not cut the answer off", async () => {
    const probe = hanging();
    const answer = Promise.withResolvers<string>();
    let sending: AbortSignal | null = null;
    const sent = watchSilence({
      send: (signal) => {
        sending = signal;
        return answer.promise;
      },
      probe: probe.call,
      probeTimeoutMs: PROBE_TIMEOUT_MS,
    });
    await vi.advanceTimersByTimeAsync(SILENCE_MS);
    answer.resolve("answer");
    expect(await sent).toBe("answer");
    expect(probe.signals.map(({ aborted }) => aborted)).toEqual([true]);
    expect((sending as AbortSignal | null)?.aborted).toBe(false);
  });

  it("a request that fails while a probe is answered leaves nothing behind", async () => {
    const answered = Promise.withResolvers<void>();
    const failed = Promise.withResolvers<never>();
    const sent = watchSilence({
      send: () => failed.promise,
      probe: () => answered.promise,
      probeTimeoutMs: PROBE_TIMEOUT_MS,
    });
    await vi.advanceTimersByTimeAsync(SILENCE_MS);
    const outcome = expect(sent).rejects.toThrow("reset");
    answered.resolve();
    failed.reject(new Error("reset"));
    await outcome;
    expect(vi.getTimerCount()).toBe(0);
  });
});
