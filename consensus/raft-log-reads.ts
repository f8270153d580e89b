import type { Index, ReadState, Term } from "./raft/types.ts";
import { NotProposedError } from "./replicated-log.ts";

interface Read {
  deadlineMs: number;
  resolve: (appliedIndex: number) => void;
  reject: (error: Error) => void;
}
interface KnownRead extends Read {
  /** Both must be applied. */
  index: Index;
  term: Term;
}

/**
 * Reads that wait: first (linearizable ones) for the core to name an index, then for the state machine to reach it.
 * Linearizable reads that come before the core's next batch share one request.
 */
export class Reads {
  #asked = new Map<number, Read[]>();
  #known: KnownRead[] = [];
  #open: Read[] | null = null;
  #requests = 0;

  /** `ask` puts a request to the core; false: this node does not lead. */
  linearizable(deadlineMs: number, ask: (request: number) => boolean): Promise<number> | null {
    if (this.#open === null) {
      this.#requests += 1;
      if (!ask(this.#requests)) return null;
      this.#open = [];
      this.#asked.set(this.#requests, this.#open);
    }
    const open = this.#open;
    return new Promise((resolve, reject) => {
      open.push({ deadlineMs, resolve, reject });
    });
  }

  /** Resolves once an entry of at least `term` and `index` itself are applied. */
  reached(at: { index: Index; term: Term }, deadlineMs: number): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#known.push({ ...at, deadlineMs, resolve, reject });
    });
  }

  /** The core takes its batch: reads that come from now on need a confirmation of their own. */
  closeRequest(): void {
    this.#open = null;
  }

  /** The core has named the index of each; `at` is what is applied now. */
  confirmed(states: readonly ReadState[], at: { index: Index; term: Term }): void {
    if (states.length === 0) return;
    for (const { request, index } of states) {
      for (const read of this.#asked.get(request) ?? []) this.#known.push({ ...read, index, term: 0 });
      this.#asked.delete(request);
    }
    this.applied(at.index, at.term);
  }

  applied(index: Index, term: Term): void {
    if (this.#known.length === 0) return;
    const rest: KnownRead[] = [];
    for (const read of this.#known) {
      if (read.index <= index && read.term <= term) read.resolve(index);
      else rest.push(read);
    }
    this.#known = rest;
  }

  /** Leadership changed: what asked for this node as the leader cannot be answered here. */
  leadershipEnded(leaderId: number | null): void {
    const error = new NotProposedError("this node no longer leads; read from the leader", leaderId);
    this.#rejectAsked(error);
    this.#known = this.#known.filter((read) => {
      if (read.term > 0) read.reject(error);
      return read.term === 0;
    });
  }

  expire(nowMs: number, leaderId: number | null): void {
    const error = new NotProposedError("the read could not be confirmed in time", leaderId);
    const late = (read: Read): boolean => {
      if (read.deadlineMs > nowMs) return false;
      read.reject(error);
      return true;
    };
    for (const [request, reads] of this.#asked) {
      const rest = reads.filter((read) => !late(read));
      if (rest.length === reads.length) continue;
      // An open request is shared by its array; only its members change.
      reads.splice(0, reads.length, ...rest);
      if (rest.length === 0 && reads !== this.#open) this.#asked.delete(request);
    }
    this.#known = this.#known.filter((read) => !late(read));
  }

  abandon(error: Error): void {
    this.#rejectAsked(error);
    for (const read of this.#known) read.reject(error);
    this.#known = [];
  }

  #rejectAsked(error: Error): void {
    for (const reads of this.#asked.values()) for (const read of reads) read.reject(error);
    this.#asked.clear();
    this.#open = null;
  }
}
