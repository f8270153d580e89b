import * as fc from "fast-check";
import { expect, it } from "vitest";
import { testConfigPayload, testRule } from "../command/testing-commands.ts";
import { sha256Hex } from "../sha256.ts";
import type { ChangeRequest } from "./change-request.ts";
import type { ChangeOperation } from "../command/command.ts";
import { TestingChanges } from "./testing-changes.ts";

const PEOPLE = ["ada", "bob", "cyd", "dan"];
const NEEDED = 2;
const FROZEN_FROM_MS = 1_010_000;
const FROZEN_UNTIL_MS = 1_015_000;
const BYTES = new Uint8Array([7]);
const CONTENT = { attachment: 0, sha256: sha256Hex(BYTES) };

const who = fc.constantFrom(...PEOPLE);
const version = fc.integer({ min: 1, max: 3 });
const operation = fc.record({
  what: fc.constantFrom(
    "put_releases",
    "rollback",
    "start_publish",
    "staged",
    "create_version",
    "delete_config",
  ),
  version,
});
const steps = fc.array(
  fc.oneof(
    fc.record({ do: fc.constant("direct" as const), who, operation, glass: fc.boolean() }),
    fc.record({ do: fc.constant("ask" as const), who, operation }),
    fc.record({ do: fc.constant("edit" as const), who, operation }),
    fc.record({ do: fc.constant("approve" as const), who, old: fc.boolean() }),
    fc.record({ do: fc.constant("approve" as const), who, old: fc.constant(false) }),
    fc.record({ do: fc.constant("execute" as const), who, glass: fc.boolean() }),
    fc.record({ do: fc.constantFrom("reject" as const, "withdraw" as const), who }),
    fc.record({ do: fc.constantFrom("advance" as const, "abort" as const), who }),
  ),
  { maxLength: 60, size: "max" },
);
type Step = (typeof steps extends fc.Arbitrary<infer T> ? T : never)[number];

function operationOf(
  { id }: { id: string },
  { what, version: of }: { what: string; version: number },
): ChangeOperation {
  const config_id = id;
  const plan = { config_id, description: "", content: null, version_id: of };
  const stages = [{ name: "s", regions: null, labels: { a: "b" }, bake_minutes: null }];
  switch (what) {
    case "put_releases":
      return { kind: what, payload: { config_id, releases: [testRule(of)] } };
    case "rollback":
      return { kind: what, payload: { config_id, version_id: of, abort_plan: true } };
    case "start_publish":
      return { kind: what, payload: { ...plan, strategy: "all", stages: [] } };
    case "staged":
      return { kind: "start_publish", payload: { ...plan, strategy: "staged", stages } };
    case "create_version":
      return {
        kind: what,
        payload: { config_id, content: CONTENT, format: null, schema: null, description: "" },
      };
    default:
      return { kind: "delete_config", payload: { config_id } };
  }
}

/** One walk: what the test itself has seen of each request, apart from what the state says. */
class Walk {
  readonly t = new TestingChanges();
  readonly config: { id: string };
  /** Author and approvals of the request that was last made: people by the digest that they named. */
  author = "";
  readonly approved = new Map<string, Set<string>>();
  requestId = "chr-c1-none";
  oldDigest = "0".repeat(64);
  /** Plans that were begun by the execution of an approved request. */
  readonly approvedPlans = new Set<string>();

  constructor() {
    const { t } = this;
    const { config } = t.done(
      "create_config",
      testConfigPayload("a", sha256Hex(new Uint8Array([1])), { releases: [testRule(1)] }),
    );
    for (let i = 0; i < 2; i++) {
      const content = { config_id: config.id, content: CONTENT, format: null, schema: null, description: "" };
      t.done("create_version", content, {}, [BYTES]);
    }
    const policy = {
      namespaces: "demo/**",
      approvals_required: NEEDED,
      applies_to: ["releases" as const, "publish" as const, "delete" as const],
    };
    const freeze = {
      type: "absolute" as const,
      name: "f",
      namespaces: "demo/**",
      from_ms: FROZEN_FROM_MS,
      until_ms: FROZEN_UNTIL_MS,
    };
    t.done("set_change_rules", { approvals: [policy], freezes: [freeze] });
    this.config = config;
  }

  request(): ChangeRequest | undefined {
    return this.t.state.json(`change-request/${this.requestId}`) as ChangeRequest | undefined;
  }

  take(step: Step): void {
    const { t, config } = this;
    const by = { by: step.who };
    const to = { change_request_id: this.requestId };
    const digest = this.request()?.digest ?? "0".repeat(64);
    switch (step.do) {
      case "direct": {
        const { kind, payload } = operationOf(config, step.operation);
        t.apply(kind, payload, { ...by, ...(step.glass ? { break_glass: "why" } : {}) }, [BYTES]);
        return;
      }
      case "ask":
      case "edit": {
        const config_revision = t.config(config.id)?.revision ?? 1;
        const asked = {
          config_id: config.id,
          config_revision,
          operation: operationOf(config, step.operation),
          description: "",
        };
        if (step.do === "edit") {
          if (!t.apply("edit_change", { ...to, ...asked }, by, [BYTES]).ok) return;
        } else {
          if (!t.apply("request_change", asked, by, [BYTES]).ok) return;
          this.requestId = `chr-c1-${t.index}`;
          this.author = step.who;
        }
        this.oldDigest = digest;
        this.approved.clear();
        return;
      }
      case "approve": {
        const named = step.old ? this.oldDigest : digest;
        if (!t.apply("approve_change", { ...to, digest: named, comment: "" }, by).ok) return;
        this.approved.set(named, (this.approved.get(named) ?? new Set()).add(step.who));
        return;
      }
      case "execute":
        t.apply(
          "execute_change",
          { ...to, digest },
          { ...by, ...(step.glass ? { break_glass: "why" } : {}) },
        );
        return;
      case "reject":
      case "withdraw":
        t.apply(`${step.do}_change`, { ...to, comment: "" }, by);
        return;
      default: {
        const publish_id = (t.state.json(`o/${config.id}`) as string | undefined) ?? "pub-none";
        if (step.do === "abort") t.apply("abort_publish", { publish_id }, by);
        else t.apply("advance_publish", { publish_id, expected_stage: 1, cause: "by_hand" }, by);
      }
    }
  }
}

it("C14 nothing changes what clients get but as many others as it needs, having approved exactly that", () => {
  let executed = 0;
  fc.assert(
    fc.property(steps, (sequence) => {
      const walk = new Walk();
      const { t, config } = walk;
      for (const step of sequence) {
        t.nowMs += 500;
        const before = t.config(config.id);
        const planBefore = t.state.json(`o/${config.id}`) as string | undefined;
        const request = walk.request();
        walk.take(step);
        const after = t.config(config.id);
        const planAfter = t.state.json(`o/${config.id}`) as string | undefined;
        if (JSON.stringify(before?.releases) === JSON.stringify(after?.releases)) continue;
        const isFrozen = t.nowMs >= FROZEN_FROM_MS && t.nowMs < FROZEN_UNTIL_MS;
        if (step.do === "abort") continue;
        if (step.do === "advance") {
          expect(walk.approvedPlans).toContain(planBefore);
          expect(isFrozen).toBe(false);
          continue;
        }
        expect(step.do).toBe("execute");
        const people = [...(walk.approved.get(request?.digest ?? "") ?? [])].filter(
          (name) => name !== walk.author,
        );
        expect(people.length).toBeGreaterThanOrEqual(NEEDED);
        expect(request?.config_revision).toBe(before?.revision);
        if (isFrozen) expect(step).toMatchObject({ glass: true });
        if (planAfter !== undefined) walk.approvedPlans.add(planAfter);
        executed += 1;
      }
    }),
    { numRuns: 500 },
  );
  // Else the property would hold of a walk that never gets anywhere.
  expect(executed).toBeGreaterThan(20);
});
