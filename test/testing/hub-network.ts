import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";

const IP_PROGRAMS = ["/usr/sbin/ip", "/sbin/ip", "/usr/bin/ip"];
const HTTP_PORT = 7400;
const PEER_PORT = 7500;
const NODE_DEVICE = "eth0";

/** Why this machine can make no network namespaces, or null when it can. */
export function namespacesTrouble(): string | null {
  if (process.getuid?.() !== 0) return "network namespaces need root";
  if (findIp() === null) return "network namespaces need `ip` (Debian: iproute2)";
  const name = `conflux-probe-${process.pid}`;
  try {
    ip("netns", "add", name);
    ip("netns", "del", name);
    return null;
  } catch (error) {
    return `this machine makes no network namespaces: ${String(error)}`;
  }
}

/**
 * A hub and one namespace a node behind it, all of them apart from the network of this machine: their addresses exist
 * nowhere else. Clients run in the hub, which routes between the nodes and drops what is cut: packets vanish, in one
 * direction or both, and nobody is told.
 */
export class HubNetwork {
  readonly #name = `conflux-${process.pid}-${Math.random().toString(36).slice(2, 8)}`;
  readonly #nodeIds: readonly number[];
  readonly #cut = new Set<string>();

  constructor(nodeIds: readonly number[]) {
    this.#nodeIds = nodeIds;
    try {
      ip("netns", "add", this.#hub);
      ip("-n", this.#hub, "link", "set", "lo", "up");
      for (const id of nodeIds) this.#addNode(id);
      this.inHub("sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward");
    } catch (error) {
      this.remove();
      throw error;
    }
  }

  get #hub(): string {
    return `${this.#name}-hub`;
  }
  /** What goes before a command that is to run in the hub. */
  get hubPrefix(): readonly string[] {
    return prefixOf(this.#hub);
  }

  /** Where node `id` runs, as a core cluster asks it. */
  place(id: number): { prefix: readonly string[]; host: string; httpPort: number; peerPort: number } {
    return {
      prefix: prefixOf(this.#nodeName(id)),
      host: addressOf(id),
      httpPort: HTTP_PORT,
      peerPort: PEER_PORT,
    };
  }

  /** Packets from one node to the other vanish from now on; those back arrive. */
  cut(from: number, to: number): void {
    if (this.#cut.has(`${from}>${to}`)) return;
    this.#cut.add(`${from}>${to}`);
    ip("-n", this.#hub, "rule", "add", ...ruleOf(from, to));
  }

  /** Cuts both directions between `id` and every other node. */
  isolate(id: number): void {
    for (const other of this.#nodeIds) {
      if (other === id) continue;
      this.cut(id, other);
      this.cut(other, id);
    }
  }

  heal(): void {
    for (const pair of this.#cut) {
      const [from = 0, to = 0] = pair.split(">").map(Number);
      ip("-n", this.#hub, "rule", "del", ...ruleOf(from, to));
    }
    this.#cut.clear();
  }

  /** Nothing may run in the namespaces any more. Idempotent. */
  remove(): void {
    const there = execFileSync(findIp() ?? "ip", ["netns", "list"], { encoding: "utf8" });
    for (const line of there.split("\n")) {
      const [name = ""] = line.split(" ");
      if (name.startsWith(`${this.#name}-`)) ip("netns", "del", name);
    }
  }

  inHub(...command: string[]): void {
    const [program = "", ...args] = [...this.hubPrefix, ...command];
    execFileSync(program, args, { stdio: ["ignore", "ignore", "pipe"] });
  }

  #nodeName(id: number): string {
    return `${this.#name}-n${id}`;
  }

  #addNode(id: number): void {
    const name = this.#nodeName(id);
    const hubDevice = `node${id}`;
    ip("netns", "add", name);
    ip("-n", this.#hub, "link", "add", hubDevice, "type", "veth", "peer", "name", NODE_DEVICE, "netns", name);
    ip("-n", this.#hub, "addr", "add", `${gatewayOf(id)}/30`, "dev", hubDevice);
    ip("-n", this.#hub, "link", "set", hubDevice, "up");
    ip("-n", name, "link", "set", "lo", "up");
    ip("-n", name, "addr", "add", `${addressOf(id)}/30`, "dev", NODE_DEVICE);
    ip("-n", name, "link", "set", NODE_DEVICE, "up");
    ip("-n", name, "route", "add", "default", "via", gatewayOf(id));
  }
}

const gatewayOf = (id: number): string => `10.77.${id}.1`;
const addressOf = (id: number): string => `10.77.${id}.2`;
const ruleOf = (from: number, to: number): string[] => [
  "from",
  addressOf(from),
  "to",
  addressOf(to),
  "blackhole",
];
const prefixOf = (namespace: string): string[] => [findIp() ?? "ip", "netns", "exec", namespace];

function findIp(): string | null {
  return IP_PROGRAMS.find((path) => existsSync(path)) ?? null;
}

function ip(...args: string[]): void {
  execFileSync(findIp() ?? "ip", args, { stdio: ["ignore", "ignore", "pipe"] });
}
