import { describe, expect, it } from "vitest";
import type { ProposeAnswer } from "../../../contracts/core/core-api.ts";
import type { CorePort } from "../../../contracts/core/core-port.ts";
import { testCommand, testRule } from "../../../domain/command/testing-commands.ts";
import { publishIdOf } from "../../../domain/publish/publish-plan.ts";
import { codeOf, createIn, sha256Of, unique, utf8 } from "./core-conformance.ts";

/** Creates a config that serves `text`, and begins a plan of one stage for another content. */
export async function publishIn(
  core: CorePort,
  input: { name: string; text: string; bakeMinutes: number | null },
): Promise<ProposeAnswer<"start_publish">> {
  const { result } = await createIn(core, input.name, "{}", { releases: [testRule(1)] });
  const bytes = utf8(input.text);
  return core.propose({
    command: testCommand("start_publish", {
      config_id: result.config.id,
      content: { attachment: 0, sha256: await sha256Of(bytes) },
      version_id: null,
      description: "next",
      strategy: "staged",
      stages: [{ name: "first", regions: ["cn-chengdu"], labels: null, bake_minutes: input.bakeMinutes }],
    }),
    attachments: [bytes],
  });
}

/** What every `CorePort` promises of publish plans. */
export function publishConformance(core: () => CorePort): void {
  describe("publish plans", () => {
    describeMoves(core);
    describeRefusals(core);
  });
}

function describeMoves(core: () => CorePort): void {
  it("C7 begins one with its version, answers it by id and by config, and advances it once", async () => {
    const { result, index } = await publishIn(core(), {
      name: unique(),
      text: "[7]",
      bakeMinutes: 60,
    });
    const { id, config_id } = result.publish;
    expect(id).toBe(publishIdOf(config_id, index));
    const { publish } = await core().getPublish(id);
    expect(publish).toEqual(result.publish);
    const { version } = await core().getVersion({ config_id, version_id: publish.version_id });
    expect(new TextDecoder().decode(await core().getBlob({ tenant: "demo", sha256: version.sha256 }))).toBe(
      "[7]",
    );
    const advance = {
      command: testCommand("advance_publish", { publish_id: id, expected_stage: 1, cause: "by_hand" }),
      attachments: [],
    };
    const full = await core().propose(advance);
    expect(full.result).toMatchObject({ publish: { state: "full" }, config: { releases: [testRule(2)] } });
    expect(await codeOf(core().propose(advance))).toBe("invalid_transition");
    const list = await core().listPublishes({ config_id, limit: 1 });
    expect(list).toMatchObject({ items: [{ id, state: "full" }], next_cursor: null });
    expect(await codeOf(core().listPublishes({ config_id, limit: 1, cursor: "zzz" }))).toBe(
      "malformed_request",
    );
    expect(await codeOf(core().getPublish("pub-x-1"))).toBe("not_found");
    expect(await codeOf(core().listPublishes({ config_id: "cfg-x-1", limit: 1 }))).toBe("not_found");
  });

  it("P4 lists what is due in pages, the longest due first", async () => {
    const made: string[] = [];
    for (const bakeMinutes of [2, 1, null, 3]) {
      made.push((await publishIn(core(), { name: unique(), text: "[8]", bakeMinutes })).result.publish.id);
    }
    const due: string[] = [];
    let cursor: string | null = null;
    do {
      const page = await core().listDuePublishes(
        {
          due_before_ms: Date.now() + 150_000,
          limit: 1,
          ...(cursor === null ? {} : { cursor }),
        },
        { consistency: "leader" },
      );
      due.push(...page.items.map((plan) => plan.id));
      cursor = page.next_cursor;
    } while (cursor !== null);
    expect(due.filter((id) => made.includes(id))).toEqual([made[1], made[0]]);
  });
}

function describeRefusals(core: () => CorePort): void {
  it("P6 refuses what a running plan forbids; the edge is not told of plans", async () => {
    const start = (await core().status()).index;
    const { result } = await publishIn(core(), { name: unique(), text: "[9]", bakeMinutes: null });
    const put = testCommand("put_releases", { config_id: result.config.id, releases: [] });
    expect(await codeOf(core().propose({ command: put, attachments: [] }))).toBe("publish_running");
    const input = { after: start, limit: 9, wait_ms: 0 };
    const full = await core().feed({ ...input, view: "full" });
    expect(full.entries[1]?.events.map((event) => event.type)).toEqual(["config_changed", "publish_changed"]);
    const edge = await core().edgeFeed(input);
    expect(edge.entries[1]?.events.map((event) => event.type)).toEqual(["config_changed"]);
  });

  it("content with another hash than the plan says never enters the log", async () => {
    const { result } = await createIn(core(), unique(), "{}");
    const lying = testCommand("start_publish", {
      config_id: result.config.id,
      content: { attachment: 0, sha256: "0".repeat(64) },
      version_id: null,
      description: "",
      strategy: "all",
      stages: [],
    });
    expect(await codeOf(core().propose({ command: lying, attachments: [utf8("{}")] }))).toBe(
      "malformed_request",
    );
  });
}
