/** The window of the counter at the location, ms; the platform offers 10 and 60 s. */
export const RATE_WINDOW_MS = 10_000;
/** Requests of one client that an isolate lets pass in a window without asking the counter. */
export const UNASKED_REQUESTS_MAX = 50;
/** Counts that an isolate has for its clients, a power of two; clients that share one are asked about sooner. */
const COUNTS = 65_536;
/** Clients that an isolate remembers as refused in a window; further ones are asked about at each request. */
const REFUSED_MAX = 20_000;
const COUNT_MAX = 0xffff;
const FNV_PRIME = 0x01000193;

/**
 * What an isolate knows of its clients' rates in the present window. The counter that all isolates of a location share
 * costs a call, so it is asked only about clients that send much: a usual client costs an addition here, and one that
 * was refused is refused without another call until the window ends.
 *
 * A client is a token at an address. It is not held by name: its hash leads to a count, which it may share with others.
 * Then the counter, which tells them apart, is asked a little too soon; nobody is refused for another. Table and hash
 * need no memory a client, and no text that would have to be built and interned for each request.
 */
export class ClientRates {
  readonly #counts = new Uint16Array(COUNTS);
  readonly #refused = new Set<string>();
  #windowStartMs = 0;
  /** Of the hash: nobody may choose whose count a client shares. */
  readonly #seed: number;

  constructor(seed: number) {
    this.#seed = seed;
  }

  /** Counts a request: let it pass, refuse it, or ask the location's counter. */
  count(jti: string, address: string, nowMs: number): "pass" | "refuse" | "ask" {
    const intoWindowMs = nowMs - this.#windowStartMs;
    // Requests' clocks differ a little; one that is a whole window behind was set back.
    if (intoWindowMs >= RATE_WINDOW_MS || intoWindowMs < -RATE_WINDOW_MS) this.#begin(nowMs);
    const at = hash(address, hash(jti, this.#seed)) & (COUNTS - 1);
    const requests = (this.#counts[at] ?? 0) + 1;
    if (requests <= COUNT_MAX) this.#counts[at] = requests;
    // A refused one has sent that many: the set is not looked at before.
    if (requests <= UNASKED_REQUESTS_MAX) return "pass";
    return this.#refused.has(clientKey(jti, address)) ? "refuse" : "ask";
  }

  /** The counter refused: so do we until the window ends. */
  refuse(jti: string, address: string): void {
    if (this.#refused.size < REFUSED_MAX) this.#refused.add(clientKey(jti, address));
  }

  #begin(nowMs: number): void {
    this.#windowStartMs = nowMs - (nowMs % RATE_WINDOW_MS);
    this.#counts.fill(0);
    this.#refused.clear();
  }
}

/** The name of a client at the location's counter. */
export const clientKey = (jti: string, address: string): string => `${jti} ${address}`;

/** FNV-1a over the units of a text. */
function hash(text: string, seed: number): number {
  let hashed = seed;
  for (let i = 0; i < text.length; i += 1) hashed = Math.imul(hashed ^ text.charCodeAt(i), FNV_PRIME);
  return hashed ^ (hashed >>> 15);
}
