import { describe, expect, it } from "vitest";
import type { ClusterJob } from "../../../contracts/backup/backup-api.ts";
import type { CorePort } from "../../../contracts/core/core-port.ts";
import { testCommand } from "../../../domain/command/testing-commands.ts";
import { codeOf, createIn, sha256Of, unique, utf8 } from "./core-conformance.ts";

const waiting = { wait_ms: 20_000 };
const author = { actor: { type: "user", id: "u-1", name: "ada" }, ip: "192.0.2.1" } as const;
const head = { ...author, trace_id: "b".repeat(32) };

const restoreIn =
  (core: () => CorePort) =>
  (restore_id: string, backup_id: string, epoch_min = 0): Promise<ClusterJob> =>
    core().startRestore({ ...waiting, ...author, restore_id, backup_id, epoch_min, force: false });

/** What every `CorePort` promises of backups. */
export function backupConformance(core: () => CorePort): void {
  describe("backups", () => {
    const restore = restoreIn(core);

    it("R13 a backup is listed, proven, and restored under a higher epoch, once for one request", async () => {
      const name = unique();
      const made = await createIn(core(), name, "{}");
      const taken = await core().startBackup({ ...waiting, head, request_id: `b-${name}` });
      expect(taken).toMatchObject({ kind: "backup", state: "complete", error: null });
      expect(taken.backup).toMatchObject({
        cluster_id: made.cluster_id,
        index: made.index,
        epoch: made.epoch,
      });
      expect(await core().startBackup({ ...waiting, head, request_id: `b-${name}` })).toEqual(taken);
      const { items } = await core().listBackups({ cursor: null, limit: 1 });
      expect(items).toEqual([taken.backup]);
      const drilled = await core().startDrill({ ...waiting, head, backup_id: null });
      expect(drilled).toMatchObject({
        state: "complete",
        drill: { proven: true, backup_id: taken.backup_id },
      });
      expect(await core().getJob({ ...waiting, job_id: drilled.job_id })).toEqual(drilled);

      const later = unique();
      const lost = await createIn(core(), later, "{}");
      const done = await restore(`r-${name}`, taken.backup_id ?? "", made.epoch + 4);
      expect(done).toMatchObject({ state: "complete", restore: { epoch: made.epoch + 5 } });
      expect(done.restore?.index).toBeGreaterThan(lost.index);
      expect(await codeOf(core().getConfigByName(`demo/shop/prod/${later}`))).toBe("not_found");
      expect((await core().getConfigByName(`demo/shop/prod/${name}`)).config.id).toBe(made.result.config.id);
      const status = await core().status();
      expect(status.epoch).toBe(made.epoch + 5);
      expect(new Date(status.tokens_not_before_ms).toISOString()).toBe(done.restore?.tokens_not_before);
      expect(status.epochs.slice(-2)).toMatchObject([
        { epoch: made.epoch },
        { epoch: made.epoch + 5, first_index: done.restore?.index },
      ]);
      const page = await core().edgeSnapshot({ cursor: null, limit: 1 });
      expect(page.tokens_not_before_ms).toBe(status.tokens_not_before_ms);
      const { entries } = await core().feed({ after: lost.index, limit: 9, wait_ms: 0, view: "full" });
      expect(entries).toMatchObject([
        { kind: "commit_restore", prev_index: lost.index, audit: { actor: { id: "u-1" } } },
      ]);
      const again = await createIn(core(), later, "{}");
      expect(await restore(`r-${name}`, taken.backup_id ?? "")).toEqual(done);
      expect(await core().getConfig(again.result.config.id)).toMatchObject({ epoch: made.epoch + 5 });
    });
  });
  describeBackupEdges(core);
}

function describeBackupEdges(core: () => CorePort): void {
  describe("backups at their edges", () => {
    const restore = restoreIn(core);

    it("R13 C14 a backup has the rules of changes, and open change requests with their contents", async () => {
      const { result } = await createIn(core(), unique(), "{}");
      const { id, revision } = result.config;
      const bytes = utf8(`["${unique()}"]`);
      const sha256 = await sha256Of(bytes);
      const content = { attachment: 0, sha256 };
      const payload = { config_id: id, content, format: null, schema: null, description: "" };
      const asked = { config_id: id, config_revision: revision, description: "" };
      const operation = { kind: "create_version" as const, payload };
      const { result: made } = await core().propose({
        command: testCommand("request_change", { ...asked, operation }),
        attachments: [bytes],
      });
      const tenant = unique();
      const approvals = [
        { namespaces: `${tenant}/**`, approvals_required: 2, applies_to: ["delete" as const] },
      ];
      const set = (rules: typeof approvals) =>
        core().propose({
          command: testCommand("set_change_rules", { approvals: rules, freezes: [] }, { tenant }),
          attachments: [],
        });
      await set(approvals);
      const taken = await core().startBackup({ ...waiting, head, request_id: `b-${id}` });
      await set([]);
      const { id: change_request_id, digest } = made.request;
      const withdraw = testCommand("withdraw_change", { change_request_id, comment: "" });
      await core().propose({ command: withdraw, attachments: [] });
      expect(await restore(`r-${id}`, taken.backup_id ?? "")).toMatchObject({ state: "complete" });
      expect((await core().getChangeRules(tenant)).rules.approvals).toEqual(approvals);
      const execute = testCommand("execute_change", { change_request_id, digest });
      const done = await core().propose({ command: execute, attachments: [] });
      expect(done.result.request).toMatchObject({ state: "executed", outcome: { version_id: 2 } });
      expect(await core().getBlob({ tenant: "demo", sha256 })).toEqual(bytes);
    });

    it("A5 a backup and a drill are in the feed for their audit, once each", async () => {
      const made = await createIn(core(), unique(), "{}");
      const taken = await core().startBackup({ ...waiting, head, request_id: null });
      await core().startDrill({ ...waiting, head, backup_id: taken.backup_id });
      // Each of them once, by whom, from where and in which trace.
      const rows = await core().feed({ after: made.index, limit: 9, wait_ms: 0, view: "full" });
      const audit = { actor: author.actor, ip: author.ip, resource: "_system/cluster" };
      expect(rows.entries).toMatchObject([
        {
          tenant: "_system",
          trace_id: head.trace_id,
          audit: { ...audit, summary: `took backup ${taken.backup_id}` },
        },
        {
          tenant: "_system",
          trace_id: head.trace_id,
          audit: { ...audit, summary: `proved backup ${taken.backup_id} by a drill` },
        },
      ]);
    });

    it("R13 what is not there is not_found; a caller cannot propose the steps of a restore", async () => {
      const none = "bak-c1-20200101000000000-1-00000000";
      expect(await codeOf(core().startDrill({ ...waiting, head, backup_id: none }))).toBe("not_found");
      expect(await codeOf(restore(unique(), none))).toBe("not_found");
      expect(await codeOf(core().getJob({ job_id: "none", wait_ms: 0 }))).toBe("not_found");
      const command = testCommand("commit_restore", { restore_id: "x" });
      expect(await codeOf(core().propose({ command, attachments: [] }))).toBe("forbidden");
    });
  });
}
