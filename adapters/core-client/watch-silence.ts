/** How long a node may keep its caller waiting before it is asked whether it is there at all, ... */
export const SILENCE_MS = 500;
/** ... how long it may take to say so when the call can go to another node instead, ... */
export const PROBE_TIMEOUT_MS = 1_500;
/** ... when it cannot, so that giving up helps nobody soon, ... */
export const LAST_PROBE_TIMEOUT_MS = 5_000;
/** ... and the pause until it is asked again. */
export const PROBE_PAUSE_MS = 5_000;

/**
 * Sends a request that may take long, and aborts it when its node answers nothing at all: a frozen machine or a network
 * that swallows packets keeps a connection open, and only a limit would end the wait. While the request is unanswered
 * `probe` is sent beside it, first after SILENCE_MS; any answer to it, whatever it says, means that waiting goes on.
 * Rejects with what `send` rejects with; after a probe that failed, `send`'s signal is aborted with an error that says so.
 * No timer and no probe outlives the call.
 */
export async function watchSilence<T>(input: {
  send: (signal: AbortSignal) => Promise<T>;
  probe: (signal: AbortSignal) => Promise<unknown>;
  probeTimeoutMs: number;
}): Promise<T> {
  const ended = new AbortController();
  const silence = new AbortController();
  const watch = async (): Promise<void> => {
    for (let pauseMs = SILENCE_MS; ; pauseMs = PROBE_PAUSE_MS) {
      await pauseUntil(pauseMs, ended.signal);
      if (ended.signal.aborted) return;
      const signal = AbortSignal.any([ended.signal, AbortSignal.timeout(input.probeTimeoutMs)]);
      try {
        await input.probe(signal);
      } catch (cause) {
        // An answer whose body is still read must not be cut off.
        if (ended.signal.aborted) return;
        silence.abort(new Error("the node does not answer", { cause }));
        return;
      }
    }
  };
  const watching = watch();
  try {
    return await input.send(silence.signal);
  } finally {
    ended.abort();
    await watching;
  }
}

/** Resolves after `durationMs`, or at once when `signal` is aborted. */
function pauseUntil(durationMs: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const timer = setTimeout(end, durationMs);
    signal.addEventListener("abort", end, { once: true });
    function end(): void {
      clearTimeout(timer);
      signal.removeEventListener("abort", end);
      resolve();
    }
  });
}
