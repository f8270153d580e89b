import { resolve } from "node:path";
import type { Command } from "commander";
import { type BundleApplied, bundleApplied } from "../contracts/bundle/bundle-schemas.ts";
import {
  type ChangeRequestWritten,
  changeRequestWritten,
} from "../contracts/change-request/change-request-api.ts";
import { BREAK_GLASS_HEADER, changeHeaders } from "../contracts/config/fields.ts";
import type { ErrorCode } from "../contracts/problem/error-codes.ts";
import type { BundleJson } from "./bundle-layout.ts";
import { CliError, type CliIo, CliOutcome, EXIT } from "./cli-io.ts";
import { declareVerb } from "./declare-verb.ts";
import { type Colour, paint } from "./print-table.ts";
import { readBundle } from "./read-bundle.ts";

/** `conflux apply` */
export function registerBundleApply(group: Command, io: CliIo): void {
  const command = group
    .command("apply")
    .description(
      "make configs as a bundle has them; with --dry-run: 0 nothing to do, 2 something, 1 it cannot be done so",
    )
    .argument("<path>", "a bundle: a JSON or YAML file, or a directory")
    .option("--dry-run", "show the plan and write nothing")
    .option("--prune", "delete configs that the bundle owns and no longer has")
    .option("--adopt", "take over configs that the bundle does not own")
    .option("--force", "overwrite what was changed by hand")
    .option("--abort-plan", "end running publish plans")
    .option("--if-plan <digest>", "only if this is still the plan")
    .option(
      "--break-glass <reason>",
      "pass a freeze; stands first in the audit, and needs approve on each config",
    )
    .option(
      "--request-change",
      "ask others to approve it, where changes need approval; with --dry-run: what the request would be of",
    )
    .option("--description <text>", "with --request-change: what the approvers are told");
  declareVerb(command, io, async ({ api, args, flags, show }) => {
    const bundle = readBundle(resolve(io.cwd, args[0] ?? ""));
    const isRequest = flags["requestChange"] === true;
    if (isRequest) {
      if (flags["breakGlass"] !== undefined)
        throw new CliError(
          EXIT.refused,
          "--break-glass is for who makes the change, not for who asks for it",
        );
    }
    if (isRequest && flags["dryRun"] !== true) {
      const asked = changeRequestWritten.parse(
        await api.post("/mgt/change-requests", requestOf(bundle, flags)),
      );
      show(asked, () => printRequest(io, asked));
      return;
    }
    const query = new URLSearchParams();
    for (const [flag, name] of Object.entries(FLAGS)) if (flags[flag] === true) query.set(name, "true");
    if (flags["dryRun"] === true) query.set("dry_run", "true");
    if (typeof flags["ifPlan"] === "string") query.set("if_plan", flags["ifPlan"]);
    const answer = bundleApplied.parse(
      await api
        .post(`/mgt/apply?${query.toString()}`, bundle, breakGlass(flags["breakGlass"]))
        .catch(tellWhatToDo),
    );
    show(answer, () => print(io, answer));
    if (!answer.dry_run) return;
    const isBlocked = answer.items.some(({ blocked }) => blocked !== null);
    // What needs approval, and a freeze, keep nobody from asking for the change.
    if (isBlocked || (answer.blocked.length > 0 && !isRequest)) throw new CliOutcome(EXIT.refused);
    if (answer.has_changes) throw new CliOutcome(EXIT.changes);
  });
}

/** How far an apply may go: flags of the command line, and what the API calls them. */
const FLAGS = { prune: "prune", adopt: "adopt", force: "force", abortPlan: "abort_plan" };

/** The body that asks for the bundle as a change request. */
function requestOf(bundle: BundleJson, flags: Record<string, unknown>): object {
  const operation: Record<string, unknown> = { type: "apply", apply: bundle };
  for (const [flag, name] of Object.entries(FLAGS)) operation[name] = flags[flag] === true;
  if (typeof flags["ifPlan"] === "string") operation["if_plan"] = flags["ifPlan"];
  const { description } = flags;
  return { operation, ...(typeof description === "string" ? { description } : {}) };
}

/** The header that passes a freeze; empty without a reason. */
function breakGlass(reason: unknown): Record<string, string> {
  if (reason === undefined) return {};
  const parsed = changeHeaders.shape[BREAK_GLASS_HEADER].safeParse(reason);
  if (!parsed.success) {
    throw new CliError(EXIT.refused, `--break-glass: ${parsed.error.issues[0]?.message ?? "not acceptable"}`);
  }
  // What a header carries; the rest would arrive as something else, or not at all.
  if (!/^[ -~]*$/.test(parsed.data ?? ""))
    throw new CliError(EXIT.refused, "--break-glass: one line of ASCII characters");
  return { [BREAK_GLASS_HEADER]: parsed.data ?? "" };
}

/** What helps against a refusal, as far as a flag does. */
const HELP: Partial<Record<ErrorCode, string>> = {
  approval_required: "--request-change asks others to approve exactly this",
  change_frozen: "--break-glass REASON passes, for who may approve changes of these configs",
};

function tellWhatToDo(error: unknown): never {
  const help = error instanceof CliError && error.code !== undefined ? HELP[error.code] : undefined;
  if (!(error instanceof CliError) || error.code === undefined || help === undefined) throw error;
  const message = `${error.message}\n  ${help}`;
  throw new CliError(error.exitCode, message, { cause: error, code: error.code });
}

function printRequest(io: CliIo, asked: ChangeRequestWritten): void {
  io.out(`change request ${asked.id}, open until ${asked.expires_at}`);
  io.out(`digest ${asked.digest}`);
  const path = `/api/v1/mgt/change-requests/${asked.id}`;
  io.out(`who may approve it reads GET ${path}, and posts the digest to ${path}/approve;`);
  io.out(`then it is applied by POST ${path}/execute with the same digest`);
}

const SIGNS: Record<BundleApplied["items"][number]["action"], { sign: string; colour: Colour }> = {
  create: { sign: "+", colour: "green" },
  update: { sign: "~", colour: "yellow" },
  delete: { sign: "-", colour: "red" },
  orphan: { sign: "?", colour: "dim" },
  unchanged: { sign: " ", colour: "dim" },
};

function print(io: CliIo, answer: BundleApplied): void {
  for (const { app, env, name, action, changes, drift, blocked } of answer.items) {
    if (action === "unchanged" && drift.length === 0) continue;
    const { sign, colour } = SIGNS[action];
    const what = changes.length === 0 ? "" : `: ${changes.join(", ")}`;
    io.out(paint(io, colour, `${sign} ${app}/${env}/${name} ${action}${what}`));
    if (drift.length > 0) io.out(`    changed by hand: ${drift.join(", ")}`);
    if (blocked !== null) io.out(paint(io, "red", `    ${blocked.code}: ${blocked.reason}`));
    if (action === "orphan") io.out("    no longer in the bundle; --prune deletes it");
  }
  for (const warning of answer.warnings) io.out(`warning: ${warning}`);
  for (const { code, reason } of answer.blocked) {
    io.out(paint(io, "red", `${code}: ${reason}`));
    io.out(`  ${HELP[code] ?? ""}`);
  }
  const count = (action: string): number => answer.items.filter((item) => item.action === action).length;
  const counts = `${count("create")} created, ${count("update")} changed, ${count("delete")} deleted, ${count("unchanged")} unchanged`;
  io.out(answer.dry_run ? `plan ${answer.plan}: ${counts}` : `applied ${answer.bundle_id}: ${counts}`);
}
