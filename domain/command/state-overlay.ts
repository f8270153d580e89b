import type { StateChange, StateView } from "./state-view.ts";

/**
 * The state as it will be after `changes`, for what is decided after them in the same command. Lists (`scan`) are of the
 * state before: they show none of the changes, which must not be about rows that the reader lists.
 */
export function overlayState(state: StateView, changes: readonly StateChange[]): StateView {
  const json = new Map<string, unknown>();
  const bytes = new Map<string, Uint8Array | undefined>();
  for (const change of changes) {
    if (change.op === "put_json") json.set(change.key, change.value);
    else if (change.op === "put_bytes") bytes.set(change.key, change.bytes);
    else if (change.op === "delete") {
      json.set(change.key, undefined);
      bytes.set(change.key, undefined);
    } else throw new Error(`${change.op} is a change of the whole state`);
  }
  return {
    json: (key) => (json.has(key) ? json.get(key) : state.json(key)),
    bytes: (key) => (bytes.has(key) ? bytes.get(key) : state.bytes(key)),
    hasKey: (key) => {
      if (!json.has(key) && !bytes.has(key)) return state.hasKey(key);
      return json.get(key) !== undefined || bytes.get(key) !== undefined;
    },
    scan: (prefix, options) => state.scan(prefix, options),
  };
}
