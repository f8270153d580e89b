import { expect, it } from "vitest";
import type { CorePort } from "../../../contracts/core/core-port.ts";
import { testCommand, testConfigPayload } from "../../../domain/command/testing-commands.ts";
import { codeOf, unique } from "./core-conformance.ts";

/** SHA-256 of "{}". */
const SHA256 = "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a";

/** What every `CorePort` promises of a tenant's `max_configs`. */
export function quotaConformance(core: () => CorePort): void {
  it("A6 of many creations at once it takes exactly as many as the tenant may have", async () => {
    const tenant = unique();
    const create = (name: string, max: number) => {
      const namespace = { tenant, app: "shop", env: "prod" };
      const payload = testConfigPayload(name, SHA256, { namespace, max_configs: max });
      const command = testCommand("create_config", payload, { tenant });
      return core().propose({ command, attachments: [new TextEncoder().encode("{}")] });
    };
    const settled = await Promise.allSettled(Array.from({ length: 40 }, (_, i) => create(`c${i}`, 7)));
    const made = settled.flatMap((s) => (s.status === "fulfilled" ? [s.value.result.config.id] : []));
    expect(made).toHaveLength(7);
    for (const s of settled)
      if (s.status === "rejected") expect(s.reason).toMatchObject({ code: "quota_exceeded" });
    const remove = testCommand("delete_config", { config_id: made[0] ?? "" }, { tenant });
    await core().propose({ command: remove, attachments: [] });
    expect((await create("again", 7)).result.config.name).toBe("again");
    expect(await codeOf(create("more", 7))).toBe("quota_exceeded");
  });
}
