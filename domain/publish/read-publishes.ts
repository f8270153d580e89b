import { type Refusal, refuse } from "../command/apply-verb.ts";
import { scanAll } from "../command/scan-all.ts";
import { stateKey, type StateView } from "../command/state-view.ts";
import { type Page, readConfig } from "../config/read-configs.ts";
import type { PublishPlan } from "./publish-plan.ts";

/** The last segment of `stateKey.publishByConfig`, which is the cursor of a list. */
const PLACE_AMONG_PLANS = /^\d{16}$/;

export function readPublish(state: StateView, id: string): { ok: true; publish: PublishPlan } | Refusal {
  const publish = state.json(stateKey.publish(id)) as PublishPlan | undefined;
  return publish === undefined ? refuse("not_found", `no publish ${id}`) : { ok: true, publish };
}

/** The plans of a config, the newest first. `not_found` for a config that is not there. */
export function listPublishes(
  state: StateView,
  input: { config_id: string; cursor?: string; limit: number },
): Page<PublishPlan> | Refusal {
  const found = readConfig(state, input.config_id);
  if (!found.ok) return found;
  if (input.cursor !== undefined && !PLACE_AMONG_PLANS.test(input.cursor)) {
    return refuse("malformed_request", "the cursor is not one that a list of publishes gave", [
      { path: "/cursor", message: "not a cursor" },
    ]);
  }
  return page(state, stateKey.publishByConfigPrefix(input.config_id), input, () => true);
}

/** Running plans whose stage has baked at `due_before_ms`, the longest due first. */
export function listDuePublishes(
  state: StateView,
  input: { due_before_ms: number; cursor?: string; limit: number },
): Page<PublishPlan> {
  const prefix = stateKey.publishDuePrefix;
  const isDue = (key: string): boolean =>
    Number(key.slice(prefix.length).split("/", 1)[0]) <= input.due_before_ms;
  return page(state, prefix, input, isDue);
}

/** Rows under `prefix` name plans; the cursor is the last row's key without the prefix. */
function page(
  state: StateView,
  prefix: string,
  { cursor, limit }: { cursor?: string; limit: number },
  wanted: (key: string) => boolean,
): Page<PublishPlan> {
  const items: PublishPlan[] = [];
  let last = "";
  for (const { key, value } of scanAll(state, prefix, cursor === undefined ? undefined : prefix + cursor)) {
    if (!wanted(key)) break;
    if (items.length === limit) return { ok: true, items, next_cursor: last };
    items.push(state.json(stateKey.publish(value as string)) as PublishPlan);
    last = key.slice(prefix.length);
  }
  return { ok: true, items, next_cursor: null };
}
