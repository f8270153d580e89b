/** Closes each, whatever becomes of those before it. Throws the first failure. */
export function closeInTurn(...all: readonly { close(): void }[]): void {
  const [first, ...rest] = all;
  if (first === undefined) return;
  try {
    first.close();
  } finally {
    closeInTurn(...rest);
  }
}
