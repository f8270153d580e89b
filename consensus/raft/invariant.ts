/** A promise of the protocol was found broken: the node must stop rather than go on. Never caught inside the core. */
export class RaftInvariantError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "RaftInvariantError";
  }
}

/** Throws RaftInvariantError unless `holds`. On in production: a stopped node loses less than a forked log. */
export function invariant(holds: boolean, message: () => string): asserts holds {
  if (!holds) throw new RaftInvariantError(message());
}
