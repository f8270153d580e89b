import { describe, expect, it } from "vitest";
import type { CorePort } from "../../../contracts/core/core-port.ts";
import type { Actor, BatchItem } from "../../../domain/command/command.ts";
import { testCommand, testRule } from "../../../domain/command/testing-commands.ts";
import { codeOf, createIn, sha256Of, unique, utf8 } from "./core-conformance.ts";

const person = (name: string): Actor => ({ type: "user", id: `u-${name}`, name });
const POLICY = { approvals_required: 1, applies_to: ["releases" as const, "publish" as const] };

/** What every `CorePort` promises of changes that need approval. */
export function changesConformance(core: () => CorePort): void {
  describe("changes that need approval", () => {
    describeSeveral(core);
    it("C14 keeps the rules of a tenant, and none before any are set", async () => {
      const tenant = unique();
      const none = { tenant, approvals: [], freezes: [], updated_at_ms: 0, revision: 0 };
      expect((await core().getChangeRules(tenant)).rules).toEqual(none);
      const payload = { approvals: [{ ...POLICY, namespaces: `${tenant}/**` }], freezes: [] };
      const { result, index } = await core().propose({
        command: testCommand("set_change_rules", payload, { tenant }),
        attachments: [],
      });
      expect(result.rules).toMatchObject({ tenant, ...payload, revision: index });
      expect((await core().getChangeRules(tenant)).rules).toEqual(result.rules);
    });

    it("C14 takes a content with a request, answers the request, and executes it once for two at a time", async () => {
      const { result } = await createIn(core(), unique(), "{}", { releases: [testRule(1)] });
      const { id, revision, namespace } = result.config;
      const bytes = utf8(`["${unique()}"]`);
      const sha256 = await sha256Of(bytes);
      const content = { attachment: 0, sha256 };
      const payload = { config_id: id, content, version_id: null, description: "two" };
      const operation = {
        kind: "start_publish" as const,
        payload: { ...payload, strategy: "all" as const, stages: [] },
      };
      const asked = await core().propose({
        command: testCommand("request_change", {
          config_id: id,
          config_revision: revision,
          operation,
          description: "go",
        }),
        attachments: [bytes],
      });
      const to = { change_request_id: asked.result.request.id };
      const { request } = await core().getChangeRequest(to.change_request_id);
      expect(request).toMatchObject({ state: "open", operation, digest: asked.result.request.digest });
      expect(await core().getBlob({ tenant: namespace.tenant, sha256 })).toEqual(bytes);
      const { digest } = request;
      const approval = { ...to, digest, comment: "" };
      await core().propose({
        command: testCommand("approve_change", approval, { actor: person("bob") }),
        attachments: [],
      });
      const execute = { command: testCommand("execute_change", { ...to, digest }), attachments: [] };
      const both = await Promise.allSettled([core().propose(execute), core().propose(execute)]);
      expect(both.map(({ status }) => status).toSorted()).toEqual(["fulfilled", "rejected"]);
      expect((await core().getConfig(id)).config.releases).toEqual([testRule(2)]);
      const ended = { tenant: namespace.tenant, config_id: id, state: "executed" };
      const list = await core().listChangeRequests({ ...ended, now_ms: 0, limit: 1 });
      expect(list.items).toMatchObject([{ id: to.change_request_id, outcome: { version_id: 2 } }]);
      expect(await codeOf(core().propose(execute))).toBe("invalid_transition");
    });

    it("C14 refuses an operation that no command could be, and what is not there", async () => {
      const operation = { kind: "rollback", payload: { config_id: "cfg-c1-1", version_id: 0 } } as const;
      const payload = { config_id: "cfg-c1-1", config_revision: 1, operation, description: "" };
      const command = testCommand("request_change", payload);
      expect(await codeOf(core().propose({ command, attachments: [] }))).toBe("malformed_request");
      expect(await codeOf(core().getChangeRequest("chr-c1-none"))).toBe("not_found");
      const list = { tenant: "demo", now_ms: 0, limit: 1 };
      expect(await codeOf(core().listChangeRequests({ ...list, cursor: "x" }))).toBe("malformed_request");
      expect(await codeOf(core().listChangeRequests({ ...list, state: "x" }))).toBe("malformed_request");
    });
  });
}

function describeSeveral(core: () => CorePort): void {
  it("C7 C14 takes a batch with a request, with all its contents, and makes it once", async () => {
    const texts = [`["${unique()}"]`, `["${unique()}"]`];
    const items: BatchItem[] = [];
    for (const [attachment, text] of texts.entries()) {
      const { result } = await createIn(core(), unique(), "{}", { releases: [testRule(1)] });
      const content = { attachment, sha256: await sha256Of(utf8(text)) };
      const { id: config_id, revision: expected_revision } = result.config;
      const rest = { schema: null, description: "", releases: null, default_version_id: "new" as const };
      items.push({ config_id, expected_revision, content, ...rest });
    }
    const operation = { kind: "batch_releases" as const, payload: { items, abort_plan: false } };
    const input = { config_id: null, config_revision: null, operation, description: "two" };
    const attachments = texts.map(utf8);
    const asked = await core().propose({ command: testCommand("request_change", input), attachments });
    const { id: change_request_id, digest } = asked.result.request;
    const { request } = await core().getChangeRequest(change_request_id);
    expect(request).toMatchObject({ config_id: null, operation, digest, targets: { length: 2 } });
    const first = items[0]?.config_id ?? "";
    for (const [state, now_ms] of [
      ["open", request.expires_at_ms - 1],
      ["expired", request.expires_at_ms],
    ] as const) {
      const of = { tenant: request.namespace.tenant, config_id: first, state, now_ms, limit: 9 };
      const { items: found } = await core().listChangeRequests(of);
      expect(found.map(({ id }) => id)).toEqual([change_request_id]);
    }
    const tenant = request.namespace.tenant;
    for (const [i, { content }] of items.entries())
      expect(await core().getBlob({ tenant, sha256: content?.sha256 ?? "" })).toEqual(attachments[i]);
    const approval = { change_request_id, digest, comment: "" };
    const bob = { actor: person("bob") };
    await core().propose({ command: testCommand("approve_change", approval, bob), attachments: [] });
    const command = testCommand("execute_change", { change_request_id, digest });
    const { index } = await core().propose({ command, attachments: [] });
    for (const { config_id } of items)
      expect((await core().getConfig(config_id)).config).toMatchObject({
        revision: index,
        releases: [testRule(2)],
      });
    expect(await codeOf(core().propose({ command, attachments: [] }))).toBe("invalid_transition");
    const listed = await core().listChangeRequests({ tenant, state: "executed", now_ms: 0, limit: 1 });
    expect(listed.items).toMatchObject([{ id: change_request_id, operation_kind: "batch_releases" }]);
  });
}
