/** Something that must hold did not: the seed has found a bug. */
export class SimFailure extends Error {
  constructor(message: string, options?: { cause: unknown }) {
    super(message, options);
    this.name = "SimFailure";
  }
}

export function check(holds: boolean, message: () => string): asserts holds {
  if (!holds) throw new SimFailure(message());
}
