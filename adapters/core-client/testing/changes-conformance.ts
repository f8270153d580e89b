import { describe, expect, it } from "vitest";
import type { CorePort } from "../../../contracts/core/core-port.ts";
import type { Actor } from "../../../domain/command/command.ts";
import { testCommand, testRule } from "../../../domain/command/testing-commands.ts";
import { codeOf, createIn, sha256Of, unique, utf8 } from "./core-conformance.ts";

const person = (name: string): Actor => ({ type: "user", id: `u-${name}`, name });
const POLICY = { approvals_required: 1, applies_to: ["releases" as const, "publish" as const] };

/** What every `CorePort` promises of changes that need approval. */
export function changesConformance(core: () => CorePort): void {
  describe("changes that need approval", () => {
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
      const list = await core().listChangeRequests({
        tenant: namespace.tenant,
        config_id: id,
        state: "executed",
        limit: 1,
      });
      expect(list.items).toMatchObject([{ id: to.change_request_id, outcome: { version_id: 2 } }]);
      expect(await codeOf(core().propose(execute))).toBe("invalid_transition");
    });

    it("C14 refuses an operation that no command could be, and what is not there", async () => {
      const operation = { kind: "rollback", payload: { config_id: "cfg-c1-1", version_id: 0 } } as const;
      const payload = { config_id: "cfg-c1-1", config_revision: 1, operation, description: "" };
      const command = testCommand("request_change", payload);
      expect(await codeOf(core().propose({ command, attachments: [] }))).toBe("malformed_request");
      expect(await codeOf(core().getChangeRequest("chr-c1-none"))).toBe("not_found");
      const list = { tenant: "demo", limit: 1 };
      expect(await codeOf(core().listChangeRequests({ ...list, cursor: "x" }))).toBe("malformed_request");
      expect(await codeOf(core().listChangeRequests({ ...list, state: "x" }))).toBe("malformed_request");
    });
  });
}
