import type { Command } from "commander";
import { type AuditVerification, auditVerification } from "../contracts/access/audit-api.ts";
import { type CliIo, CliError, EXIT } from "./cli-io.ts";
import { declareVerb } from "./declare-verb.ts";
import { paint } from "./print-table.ts";

/** `conflux audit verify` */
export function registerAuditVerify(group: Command, io: CliIo): void {
  const command = group
    .command("verify")
    .description("whether a tenant's audit is as it was written; fails when it is not")
    .option("--tenant <name>", "whose audit (the only tenant you hold a role in; _system for operators)");
  declareVerb(command, io, async ({ api, flags, show }) => {
    let cursor: string | null = null;
    let rows = 0;
    let anchorsMet = 0;
    let part: AuditVerification;
    do {
      const query = new URLSearchParams();
      if (typeof flags["tenant"] === "string") query.set("tenant", flags["tenant"]);
      if (cursor !== null) query.set("cursor", cursor);
      part = auditVerification.parse(await api.get(`/audit-logs/verify?${query.toString()}`));
      rows += part.verified;
      anchorsMet += part.anchors.met;
      cursor = part.resume_cursor;
      if (io.isTerminal && cursor !== null) io.err(`${rows} rows so far`);
    } while (cursor !== null);
    const whole = { ...part, verified: rows, anchors: { ...part.anchors, met: anchorsMet } };
    show(whole, (answer) => print(io, answer));
    if (whole.finding !== null) {
      const { seq, kind } = whole.finding;
      throw new CliError(
        EXIT.refused,
        `the audit of ${whole.tenant} is not as it was written: row ${seq} (${kind})`,
      );
    }
  });
}

function print(io: CliIo, { tenant, verified, anchors, finding, last }: AuditVerification): void {
  if (finding !== null) {
    io.out(`${paint(io, "red", finding.kind)} at row ${finding.seq}: ${finding.detail}`);
    return;
  }
  io.out(`${paint(io, "green", "whole")}: ${verified} rows of ${tenant}, the last is row ${last.seq}`);
  const { newest, met } = anchors;
  io.out(
    newest === null
      ? "the log has no anchor of it yet: a cut tail would not show"
      : `${met} anchors of the log fit; the newest is row ${newest.seq}, anchored ${newest.anchored_at}`,
  );
}
