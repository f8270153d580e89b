import { namespacePattern, type WatchSession } from "./watch-session.ts";

/** The sessions of a hub, found by what they watch: a change costs what its watchers cost, not what all sockets do. */
export class SessionRegistry {
  readonly #sessions = new Set<WatchSession>();
  readonly #byPattern = new Map<string, Set<WatchSession>>();

  get size(): number {
    return this.#sessions.size;
  }

  [Symbol.iterator](): Iterator<WatchSession> {
    return this.#sessions.values();
  }

  has(session: WatchSession): boolean {
    return this.#sessions.has(session);
  }

  add(session: WatchSession): void {
    this.#sessions.add(session);
    for (const pattern of session.configs) this.#link(pattern, session);
  }

  remove(session: WatchSession): void {
    this.#sessions.delete(session);
    for (const pattern of session.configs) this.#unlink(pattern, session);
  }

  subscribe(session: WatchSession, configs: readonly string[]): void {
    for (const pattern of configs) {
      session.configs.add(pattern);
      this.#link(pattern, session);
    }
  }

  unsubscribe(session: WatchSession, configs: readonly string[]): void {
    for (const pattern of configs) {
      session.configs.delete(pattern);
      this.#unlink(pattern, session);
    }
  }

  /** Who is to hear of a change of `config`: subscribed to it or to its namespace, and permitted to read it. */
  watchers(config: string): WatchSession[] {
    const exact = this.#byPattern.get(config) ?? [];
    const wide = this.#byPattern.get(namespacePattern(config)) ?? [];
    return [...new Set([...exact, ...wide])].filter((session) => session.wants(config));
  }

  #link(pattern: string, session: WatchSession): void {
    const sessions = this.#byPattern.get(pattern);
    if (sessions === undefined) this.#byPattern.set(pattern, new Set([session]));
    else sessions.add(session);
  }

  #unlink(pattern: string, session: WatchSession): void {
    const sessions = this.#byPattern.get(pattern);
    sessions?.delete(session);
    if (sessions?.size === 0) this.#byPattern.delete(pattern);
  }
}
