import { resolve } from "node:path";
import type { Command } from "commander";
import { type BundleApplied, bundleApplied } from "../contracts/bundle/bundle-schemas.ts";
import { type CliIo, CliOutcome, EXIT } from "./cli-io.ts";
import { declareVerb } from "./declare-verb.ts";
import { type Colour, paint } from "./print-table.ts";
import { readBundle } from "./read-bundle.ts";

/** `conflux apply` */
export function registerBundleApply(group: Command, io: CliIo): void {
  const command = group
    .command("apply")
    .description(
      "make configs as a bundle has them; with --dry-run: 0 nothing to do, 2 something, 1 it cannot be done",
    )
    .argument("<path>", "a bundle: a JSON or YAML file, or a directory")
    .option("--dry-run", "show the plan and write nothing")
    .option("--prune", "delete configs that the bundle owns and no longer has")
    .option("--adopt", "take over configs that the bundle does not own")
    .option("--force", "overwrite what was changed by hand")
    .option("--abort-plan", "end running publish plans")
    .option("--if-plan <digest>", "only if this is still the plan");
  declareVerb(command, io, async ({ api, args, flags, show }) => {
    const query = new URLSearchParams();
    const names = {
      dryRun: "dry_run",
      prune: "prune",
      adopt: "adopt",
      force: "force",
      abortPlan: "abort_plan",
    };
    for (const [flag, name] of Object.entries(names)) if (flags[flag] === true) query.set(name, "true");
    if (typeof flags["ifPlan"] === "string") query.set("if_plan", flags["ifPlan"]);
    const bundle = readBundle(resolve(io.cwd, args[0] ?? ""));
    const answer = bundleApplied.parse(await api.post(`/mgt/apply?${query.toString()}`, bundle));
    show(answer, () => print(io, answer));
    if (!answer.dry_run) return;
    if (answer.items.some(({ blocked }) => blocked !== null)) throw new CliOutcome(EXIT.refused);
    if (answer.has_changes) throw new CliOutcome(EXIT.changes);
  });
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
  const count = (action: string): number => answer.items.filter((item) => item.action === action).length;
  const counts = `${count("create")} created, ${count("update")} changed, ${count("delete")} deleted, ${count("unchanged")} unchanged`;
  io.out(answer.dry_run ? `plan ${answer.plan}: ${counts}` : `applied ${answer.bundle_id}: ${counts}`);
}
