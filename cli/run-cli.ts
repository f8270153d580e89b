import { type Command, CommanderError } from "commander";
import { ZodError } from "zod";
import { type CliIo, CliError, CliOutcome, EXIT, type ExitCode } from "./cli-io.ts";
import { registerAuditVerify } from "./audit-verify.ts";
import { registerBundleApply } from "./bundle-apply.ts";
import { registerBundleExport } from "./bundle-export.ts";
import { registerClusterAddNode } from "./cluster-add-node.ts";
import { registerClusterRemoveNode } from "./cluster-remove-node.ts";
import { registerClusterSnapshot } from "./cluster-snapshot.ts";
import { registerClusterTransferLeader } from "./cluster-transfer-leader.ts";
import { registerClusterBackup } from "./cluster-backup.ts";
import { registerClusterBackups } from "./cluster-backups.ts";
import { registerClusterDrill } from "./cluster-drill.ts";
import { registerClusterRestore } from "./cluster-restore.ts";
import { registerClusterStatus } from "./cluster-status.ts";
import { registerBreakGlassClose, registerBreakGlassOpen } from "./break-glass.ts";
import { registerEncryptionRewrap } from "./encryption-rewrap.ts";
import { paint } from "./print-table.ts";
import { CliCommand } from "./read-options.ts";
import { isSystemError, systemWords } from "./system-words.ts";

/** Every verb, by group: `conflux <group> <verb>`. */
const GROUPS: { name: string; summary: string; verbs: ((group: Command, io: CliIo) => void)[] }[] = [
  {
    name: "cluster",
    summary: "the nodes of the core",
    verbs: [
      registerClusterStatus,
      registerClusterAddNode,
      registerClusterRemoveNode,
      registerClusterTransferLeader,
      registerClusterSnapshot,
      registerClusterBackup,
      registerClusterBackups,
      registerClusterDrill,
      registerClusterRestore,
    ],
  },
  {
    name: "break-glass",
    summary: "a way in for emergencies, as the owner of the database",
    verbs: [registerBreakGlassOpen, registerBreakGlassClose],
  },
  { name: "encryption", summary: "the keys of encrypted configs", verbs: [registerEncryptionRewrap] },
  { name: "audit", summary: "who did what", verbs: [registerAuditVerify] },
];

/** Verbs without a group: `conflux <verb>`. */
const VERBS = [registerBundleExport, registerBundleApply];

/** Runs one command line (without the program's own name) and answers the exit code. Never rejects. */
export async function runCli(args: readonly string[], io: CliIo): Promise<ExitCode> {
  const program = new CliCommand("conflux")
    .description("Operates a Conflux installation")
    .showHelpAfterError("(--help says what there is)");
  for (const { name, summary, verbs } of GROUPS) {
    const group = program.command(name).description(summary);
    for (const register of verbs) register(group, io);
  }
  for (const register of VERBS) register(program, io);
  applyToAll(program, (command) =>
    command.exitOverride().configureOutput({
      writeOut: (text) => io.out(text.trimEnd()),
      writeErr: (text) => io.err(text.trimEnd()),
    }),
  );
  try {
    await program.parseAsync([...args], { from: "user" });
    return EXIT.ok;
  } catch (error) {
    const exitCode = explain(io, error);
    // There 2 says that a dry run found changes.
    const isUsage = exitCode === EXIT.usage && !(error instanceof CliOutcome);
    return isUsage && args[0] === "apply" ? EXIT.refused : exitCode;
  }
}

function applyToAll(command: Command, change: (command: Command) => void): void {
  change(command);
  for (const child of command.commands) applyToAll(child, change);
}

function explain(io: CliIo, error: unknown): ExitCode {
  if (error instanceof CliOutcome) return error.exitCode;
  // Commander has said what is wrong; help that was asked for is no fault.
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
  io.err(`${paint(io, "red", "conflux:")} ${wordsFor(error)}`);
  return error instanceof CliError ? error.exitCode : EXIT.refused;
}

function wordsFor(error: unknown): string {
  if (isSystemError(error)) return `${error.path ?? error.syscall ?? "the system"}: ${systemWords(error)}`;
  if (error instanceof ZodError) {
    const [issue] = error.issues;
    return `the API answers what this program does not know: /${issue?.path.join("/")}: ${issue?.message}`;
  }
  return error instanceof Error ? error.message : String(error);
}
