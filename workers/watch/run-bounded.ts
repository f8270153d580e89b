/** Runs `task` for every item, at most `inFlightMax` at a time; rejects with the first error, after no new task starts. */
export async function runBounded<T>(
  items: readonly T[],
  inFlightMax: number,
  task: (item: T) => Promise<void>,
): Promise<void> {
  let next = 0;
  let failed = false;
  const worker = async (): Promise<void> => {
    for (let item = items[next++]; item !== undefined && !failed; item = items[next++]) {
      try {
        await task(item);
      } catch (error) {
        failed = true;
        throw error;
      }
    }
  };
  const results = await Promise.allSettled(Array.from({ length: inFlightMax }, worker));
  for (const result of results) if (result.status === "rejected") throw result.reason;
}
