/** Change requests (docs/approvals.md): what each step with one is answered, and what it makes of the model. */
import type { ErrorCode } from "../../contracts/problem/error-codes.ts";
import { blockedBy, coveredBy, isUnfit, isWritten, planApply } from "./model-bundles.ts";
import { changesOf, neededOf } from "./model-guard.ts";
import { perform } from "./model-perform.ts";
import { type Expected, type Json, refused } from "./model-shown.ts";
import { isFit, type ModelChange, type ModelState } from "./model-state.ts";
import { type Operation, type Slot, type StepOf, type Which } from "./model-steps.ts";

export const isOfSeveral = (of: Operation): boolean => of.do === "batch" || of.do === "apply";

export function changeAt({ changes }: ModelState, which: Which): ModelChange | undefined {
  if (which === "oldest") return changes[0];
  const open = which === "open" ? changes.findLast(({ status }) => status === "open") : undefined;
  return open ?? changes.at(-1);
}

/** A change request as answers and lists show it, but for times. */
export function shownChange(state: ModelState, change: ModelChange): Json {
  const { id, configId, etag, digest, status, author, approvals, of } = change;
  return {
    id,
    config_id: configId,
    type: of.do === "rules" ? "releases" : of.do,
    config_etag: configId === null ? null : change.etags.get(of.slot),
    digest,
    status,
    author: { name: state.users[author] },
    approvals: approvals.map((by) => ({ by: { name: state.users[by] } })),
    etag,
  };
}

/** What refuses to ask for an operation; none when it can be kept. */
function whyNotAsked(state: ModelState, of: Operation): ErrorCode[] {
  if (of.do === "apply") {
    if (isUnfit(of)) return ["validation_failed"];
    const items = planApply(state, of);
    if (items === null) return ["validation_failed"];
    const blocked = blockedBy(items);
    if (blocked.length > 0) return blocked;
    return items.some(isWritten) ? [] : ["validation_failed"];
  }
  if (of.do !== "batch") {
    const config = state.configs.get(of.slot);
    if (config === undefined) return ["not_found"];
    return isFit(of, config) ? [] : ["validation_failed"];
  }
  for (const { slot, content } of of.items) {
    const config = state.configs.get(slot);
    if (config === undefined) return ["not_found"];
    if (content !== null && !isFit({ do: "publish", what: content }, config)) return ["validation_failed"];
  }
  if (new Set(of.items.map(({ slot }) => slot)).size < of.items.length) return ["validation_failed"];
  return of.items.some(({ match }) => match === "stale") ? ["precondition_failed"] : [];
}

/** The configs that it is about, as they are now. */
function etagsOf(state: ModelState, of: Operation): ModelChange["etags"] {
  const slots =
    of.do === "batch"
      ? of.items.map(({ slot }) => slot)
      : of.do === "apply"
        ? (planApply(state, of) ?? []).map(({ slot }) => slot)
        : [of.slot];
  return new Map(slots.map((slot): [Slot, string | null] => [slot, state.configs.get(slot)?.etag ?? null]));
}

export function expectAsk(state: ModelState, { by, of }: StepOf<"ask">): Expected {
  const codes = whyNotAsked(state, of);
  if (codes.length > 0) return refused(...codes);
  const change: ModelChange = {
    id: "",
    etag: "",
    digest: "",
    oldDigest: "",
    author: by,
    approvals: [],
    status: "open",
    of,
    configId: isOfSeveral(of) ? null : (state.configs.get(of.slot)?.id ?? ""),
    etags: etagsOf(state, of),
    changes: changesOf(state, of),
  };
  state.changes.push(change);
  return written(state, change, 201);
}

function written(state: ModelState, change: ModelChange, status: number, more: Json = {}): Expected {
  return {
    kind: "written",
    status,
    learn: (answer) => {
      change.id = String(answer["id"]);
      change.etag = String(answer["etag"]);
      change.digest = String(answer["digest"]);
    },
    fields: () => ({ ...shownChange(state, change), ...more }),
  };
}

/** By its author alone, while it is open; it stays of its config, or of several. Every approval is void. */
export function expectEdit(state: ModelState, { by, which, of }: StepOf<"edit">): Expected {
  const change = changeAt(state, which);
  if (change === undefined) return refused("not_found");
  const codes: ErrorCode[] = [...whyNotAsked(state, of)];
  if (change.author !== by) codes.push("conflict");
  if (change.status !== "open") codes.push("invalid_transition");
  if (isOfSeveral(change.of) !== isOfSeveral(of)) codes.push("validation_failed");
  if (codes.length > 0) return refused(...codes);
  const oldDigest = change.digest;
  Object.assign(change, {
    of,
    oldDigest,
    approvals: [],
    etags: etagsOf(state, of),
    changes: changesOf(state, of),
  });
  return written(state, change, 200);
}

export function expectSettle(state: ModelState, step: StepOf<"settle">): Expected {
  const { by, settle } = step;
  const change = changeAt(state, step.which);
  if (change === undefined) return refused("not_found");
  const codes: ErrorCode[] = [];
  if (change.status !== "open") codes.push("invalid_transition");
  const isOwn = change.author === by;
  if (settle === "withdraw" && !isOwn) codes.push("conflict");
  if ((settle === "approve" || settle === "reject") && isOwn) codes.push("forbidden");
  const namesDigest = settle === "approve" || settle === "execute";
  if (namesDigest && digestFor(change, step.digest) !== change.digest) codes.push("precondition_failed");
  if (settle === "approve" && change.approvals.includes(by)) codes.push("already_exists");
  if (settle === "execute") codes.push(...whyNotExecuted(state, change));
  if (codes.length > 0) return refused(...codes);
  switch (settle) {
    case "approve":
      change.approvals.push(by);
      break;
    case "reject":
      change.status = "rejected";
      break;
    case "withdraw":
      change.status = "withdrawn";
      break;
    default:
      return execute(state, change);
  }
  return written(state, change, 200);
}

/** Another digest than the request has now, as a caller may have it. */
export function digestFor(change: ModelChange | undefined, digest: StepOf<"settle">["digest"]): string {
  const old = change?.oldDigest ?? "";
  if (change !== undefined && digest === "current") return change.digest;
  return digest === "old" && old !== "" ? old : "0".repeat(64);
}

function whyNotExecuted(state: ModelState, { approvals, changes, etags, of }: ModelChange): ErrorCode[] {
  const codes: ErrorCode[] = [];
  if (approvals.length < neededOf(state, changes)) codes.push("approval_required");
  for (const [slot, etag] of etags) {
    const now = state.configs.get(slot)?.etag ?? null;
    if (now === etag) continue;
    codes.push("precondition_failed");
    if (now === null) codes.push("not_found");
  }
  if (codes.length > 0 && isOfSeveral(of)) {
    // Of configs that are refused for different reasons any may be told, first what is wrong whatever is there.
    const trial = perform(structuredClone(state), of);
    if (trial.kind === "refused") codes.push("validation_failed", ...trial.codes);
  }
  return codes;
}

/** The change and the end of its request, both or neither. What the change is refused with leaves the request open. */
function execute(state: ModelState, change: ModelChange): Expected {
  const { of } = change;
  const done = perform(state, of);
  if (done.kind !== "written") return done;
  change.status = "executed";
  // Which ETags they have is told by the list alone; a bundle knows which it leaves.
  for (const slot of of.do === "apply" ? [] : change.etags.keys()) {
    const config = state.configs.get(slot);
    if (config !== undefined) config.etag = "";
  }
  const config = of.do === "publish" || of.do === "version" ? state.configs.get(of.slot) : undefined;
  const plan = of.do === "publish" ? config?.plans.at(-1) : undefined;
  if (plan !== undefined) plan.isAsked = true;
  const isMade = of.do === "version" || (of.do === "publish" && typeof of.what === "string");
  const more = isMade ? { version_id: config?.versions.length } : {};
  const expected = written(state, change, 200, more);
  if (expected.kind !== "written") return expected;
  return {
    ...expected,
    learn: (answer) => {
      expected.learn(answer);
      if (plan !== undefined) plan.id = String(answer["publish_id"]);
    },
  };
}

/** What others see of a change request beside what its list shows. */
export function shownView(state: ModelState, change: ModelChange): Json {
  return { ...shownChange(state, change), approvals_required: neededOf(state, change.changes) };
}

/** A plan that was looked at, when nothing that its name covers has changed since. */
export function isAsPlanned(state: ModelState, step: StepOf<"apply">): boolean {
  return state.planned === null || state.planned.of === coveredBy(state, step);
}
