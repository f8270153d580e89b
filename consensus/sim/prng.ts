/** A seeded source of chance: the same seed gives the same run, on every machine. */
export interface Prng {
  /** In [0, 1). */
  next(): number;
  /** A whole number in [0, below). */
  below(below: number): number;
  chance(probability: number): boolean;
  pick<T>(items: readonly T[]): T | undefined;
  shuffle<T>(items: readonly T[]): T[];
}

/** Marsaglia's xorshift32 over a mixed seed; good enough to vary schedules. */
export function createPrng(seed: number): Prng {
  let state = (Math.imul(seed + 1, 0x9e3779b1) ^ 0x5bd1e995) >>> 0 || 1;
  const next = (): number => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    state >>>= 0;
    return state / 2 ** 32;
  };
  const below = (limit: number): number => Math.floor(next() * limit);
  for (let i = 0; i < 8; i += 1) next();
  return {
    next,
    below,
    chance: (probability) => next() < probability,
    pick: (items) => items[below(items.length)],
    shuffle: (items) => {
      const result = [...items];
      for (let i = result.length - 1; i > 0; i -= 1) {
        const j = below(i + 1);
        const held = result[i];
        const other = result[j];
        if (held !== undefined && other !== undefined) {
          result[i] = other;
          result[j] = held;
        }
      }
      return result;
    },
  };
}
