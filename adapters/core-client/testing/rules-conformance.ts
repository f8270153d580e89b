import { expect, it } from "vitest";
import type { CorePort } from "../../../contracts/core/core-port.ts";
import { testCommand, testRule } from "../../../domain/command/testing-commands.ts";
import { codeOf, createIn, unique } from "./core-conformance.ts";

/** What every `CorePort` promises of release rules with conditions. */
export function rulesConformance(core: () => CorePort): void {
  it("C5 keeps conditions and percentages, in reads, in the feed and in the edge's snapshot", async () => {
    const name = unique();
    const rule = {
      ...testRule(1),
      when: [{ label: "app", op: "semver" as const, values: ["^1.0.0"] }],
      percentage: { by: "user", percent: 12.5, salt: "s" },
    };
    const after = (await core().status()).index;
    const { result } = await createIn(core(), name, "{}", { releases: [rule] });
    const { config } = await core().getConfig(result.config.id);
    expect(config.releases).toEqual([rule]);
    const feed = await core().edgeFeed({ after, limit: 100, wait_ms: 0 });
    expect(feed.entries[0]?.events).toMatchObject([{ type: "config_changed", releases: [rule] }]);
    let cursor: string | null = null;
    const seen: unknown[] = [];
    do {
      const page: Awaited<ReturnType<CorePort["edgeSnapshot"]>> = await core().edgeSnapshot({
        cursor,
        limit: 50,
      });
      seen.push(...page.configs.filter((event) => event.name === name).map((event) => event.releases));
      cursor = page.next_cursor;
    } while (cursor !== null);
    expect(seen).toEqual([[rule]]);
    const wrong = { ...rule, percentage: { by: "user", percent: 101 } };
    const put = testCommand("put_releases", { config_id: config.id, releases: [wrong] });
    expect(await codeOf(core().propose({ command: put, attachments: [] }))).toBe("validation_failed");
  });
}
