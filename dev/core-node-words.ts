import { join } from "node:path";
import { peerPort } from "./core-cluster.ts";
import type { Settings } from "./settings.ts";

/** So long a node that waits to be let in may still hear that it never will be. */
export const WAITING_SAID_AFTER_MS = 1_000;
const REMOVED = "this node was removed from the cluster";

/** Tells whoever looks at the terminal what the lines of a further node's log mean; most mean nothing, and none is said twice. */
export class CoreNodeWords {
  readonly #settings: Pick<Settings, "corePort" | "dataDir">;
  readonly #nodeId: number;
  readonly #say: (text: string) => void;
  #said = "";
  #isRemoved = false;
  #waiting: NodeJS.Timeout | null = null;

  constructor(settings: Pick<Settings, "corePort" | "dataDir">, nodeId: number, say: (text: string) => void) {
    this.#settings = settings;
    this.#nodeId = nodeId;
    this.#say = say;
  }

  take(line: string): void {
    const told = parseLine(line);
    if (told === null) return;
    const id = this.#nodeId;
    const { corePort, dataDir } = this.#settings;
    if (told.level === "error") this.#takeError(told, join(dataDir, `core-${id}`));
    // It goes on saying so, and it is of no use any more.
    else if (this.#isRemoved) return;
    else if (told.ready === true) {
      this.#sayOnce(`Node ${id} runs at http://localhost:${corePort + id}; Ctrl-C stops it.`);
    } else if (told.msg === "waiting to be let into the cluster") {
      const address = `127.0.0.1:${peerPort(this.#settings, id)}`;
      const text = `Node ${id} waits to be let in; in another terminal: npx conflux cluster add-node ${id} ${address}`;
      this.#waiting ??= setTimeout(() => this.#sayOnce(text), WAITING_SAID_AFTER_MS);
    }
  }

  /** What was still to be said is no longer. */
  close(): void {
    if (this.#waiting !== null) clearTimeout(this.#waiting);
    this.#waiting = null;
  }

  #takeError({ msg, error }: Told, directory: string): void {
    if (!msg.startsWith(REMOVED)) {
      this.#sayOnce(`Node ${this.#nodeId}: ${msg}${error === undefined ? "" : `: ${error.split("\n")[0]}`}`);
      return;
    }
    this.#isRemoved = true;
    this.#sayOnce(
      `Node ${this.#nodeId} was removed from the cluster and serves nothing any more: stop it with Ctrl-C and remove ${directory}. Its id is used up; another node needs one that was never used.`,
    );
  }

  #sayOnce(text: string): void {
    this.close();
    if (text === this.#said) return;
    this.#said = text;
    this.#say(text);
  }
}

interface Told {
  level: string;
  msg: string;
  error?: string;
  ready?: boolean;
}

function parseLine(line: string): Told | null {
  try {
    const told = JSON.parse(line) as Partial<Told> | null;
    return typeof told?.msg === "string" && typeof told.level === "string" ? (told as Told) : null;
  } catch {
    return null;
  }
}
