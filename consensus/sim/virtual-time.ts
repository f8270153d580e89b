/**
 * Virtual time: events in order of time, then of their making. Between two events every promise that can settle does, so
 * that what code under test does between two awaits is one indivisible step, as it is on a real event loop.
 *
 * Invariant: nothing in a simulated world waits for a real timer, disk or socket. Then the same events are made in the same
 * order, whatever the machine does.
 */
const TURN_EVENTS = 20_000;

interface Event {
  atMs: number;
  order: number;
  act: () => void;
}

export class VirtualTime {
  #heap: Event[] = [];
  #nowMs = 0;
  #made = 0;
  #done = 0;

  nowMs(): number {
    return this.#nowMs;
  }

  /** Events that have happened. */
  events(): number {
    return this.#done;
  }

  after(delayMs: number, act: () => void): void {
    this.#made += 1;
    this.#push({ atMs: this.#nowMs + delayMs, order: this.#made, act });
  }

  /** Lets time pass until `isOver`, which is asked before each event. Rejects with what an event throws. */
  run(isOver: () => boolean): Promise<void> {
    return new Promise((resolve, reject) => {
      const step = (): void => {
        try {
          if (isOver()) return resolve();
          const event = this.#pop();
          if (event === undefined) throw new Error("nothing is left to happen");
          this.#nowMs = event.atMs;
          this.#done += 1;
          event.act();
        } catch (error) {
          return reject(error instanceof Error ? error : new Error(String(error)));
        }
        // A tick asked for in a microtask comes when all microtasks are done. The loop itself gets a turn now and then.
        if (this.#done % TURN_EVENTS === 0) setImmediate(step);
        else queueMicrotask(() => process.nextTick(step));
        return undefined;
      };
      setImmediate(step);
    });
  }

  /** Waits inside the simulated world. */
  sleep(delayMs: number): Promise<void> {
    return new Promise((resolve) => this.after(delayMs, resolve));
  }

  #push(event: Event): void {
    const heap = this.#heap;
    let at = heap.length;
    heap.push(event);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      const above = heap[parent]!;
      if (!isBefore(event, above)) break;
      heap[at] = above;
      at = parent;
    }
    heap[at] = event;
  }

  #pop(): Event | undefined {
    const heap = this.#heap;
    const first = heap[0];
    const last = heap.pop();
    if (first === undefined || last === undefined || heap.length === 0) return first;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && isBefore(heap[child + 1]!, heap[child]!)) child += 1;
      if (!isBefore(heap[child]!, last)) break;
      heap[at] = heap[child]!;
      at = child;
    }
    heap[at] = last;
    return first;
  }
}

function isBefore(a: Event, b: Event): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order);
}
