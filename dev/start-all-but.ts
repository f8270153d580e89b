/**
 * Resolves when every one of `starts` has ended and at most `failuresMax` of them have failed; rejects with the first failure
 * as soon as there are more.
 */
export async function startAllBut(failuresMax: number, starts: readonly Promise<void>[]): Promise<void> {
  const failures: unknown[] = [];
  await Promise.all(
    starts.map((start) =>
      start.catch((error: unknown) => {
        failures.push(error);
        if (failures.length > failuresMax) throw failures[0];
      }),
    ),
  );
}
