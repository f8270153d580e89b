/** The replicated state: what every node must have alike at an index. */
import { decodeSimCommand, type SimResult } from "./sim-command.ts";

/** Results remembered; the longest unused one goes first, long after its client has gone. */
const CLIENTS_MAX = 256;

export interface SimValue {
  version: number;
  value: string;
}

export class SimState {
  index = 0;
  hash = 0;
  /** The newest of the leaders' stamps. */
  stampMs = 0;
  values = new Map<string, SimValue>();
  /** The last write of each client and what it answered: a repeated one is answered the same and done once. */
  results = new Map<string, { sequence: number; version: number }>();

  static parse(bytes: Uint8Array): SimState {
    const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("latin1");
    const { index, hash, stampMs, values, results } = JSON.parse(text) as {
      index: number;
      hash: number;
      stampMs: number;
      values: [string, SimValue][];
      results: [string, { sequence: number; version: number }][];
    };
    const state = new SimState();
    Object.assign(state, { index, hash, stampMs, values: new Map(values), results: new Map(results) });
    return state;
  }

  serialise(): Uint8Array {
    const { index, hash, stampMs } = this;
    const content = { index, hash, stampMs, values: [...this.values], results: [...this.results] };
    return Buffer.from(JSON.stringify(content), "latin1");
  }

  apply(index: number, data: Uint8Array | null): SimResult | null {
    if (index !== this.index + 1) throw new Error(`entry ${index} after ${this.index}`);
    this.index = index;
    if (data === null) {
      this.hash = mix(this.hash, index);
      return null;
    }
    const { client, sequence, key, value, stampMs } = decodeSimCommand(data);
    this.stampMs = Math.max(this.stampMs, stampMs);
    const last = this.results.get(client);
    if (last !== undefined && sequence <= last.sequence) {
      this.hash = mix(this.hash, index);
      return { version: sequence === last.sequence ? last.version : 0 };
    }
    const version = (this.values.get(key)?.version ?? 0) + 1;
    this.values.set(key, { version, value });
    this.results.delete(client);
    this.results.set(client, { sequence, version });
    if (this.results.size > CLIENTS_MAX) this.results.delete(this.results.keys().next().value ?? "");
    let hash = mix(this.hash, version);
    for (const byte of data) hash = mix(hash, byte);
    this.hash = hash;
    return { version };
  }
}

/** FNV-1a. */
function mix(hash: number, value: number): number {
  return Math.imul((hash ^ value) >>> 0, 0x01000193) >>> 0;
}
