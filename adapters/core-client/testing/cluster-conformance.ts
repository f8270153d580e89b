import { describe, expect, it } from "vitest";
import type { CorePort } from "../../../contracts/core/core-port.ts";
import { codeOf, createIn, unique } from "./core-conformance.ts";

/** What every `CorePort` of one node promises of operations on nodes. */
export function clusterConformance(core: () => CorePort): void {
  const head = {
    actor: { type: "user" as const, id: "u-1", name: "ada" },
    ip: "127.0.0.1",
    trace_id: "0".repeat(31) + "1",
  };
  describe("R5 operations on the nodes", () => {
    it("a node alone is neither joined nor left nor relieved", async () => {
      expect(await codeOf(core().addNode({ node_id: 4, raft_address: "h:7504", head }))).toBe("conflict");
      expect(await codeOf(core().removeNode({ node_id: 1, head }))).toBe("conflict");
      expect(await codeOf(core().removeNode({ node_id: 9, head }))).toBe("not_found");
      expect(await codeOf(core().transferLeader({ head }))).toBe("conflict");
      expect(await codeOf(core().transferLeader({ target_node_id: 9, head }))).toBe("not_found");
      expect(await core().transferLeader({ target_node_id: 1, head })).toMatchObject({
        leader_id: 1,
        term: 1,
      });
    });

    it("C12 a key is kept once: its repetition is answered, another request under it is refused", async () => {
      const idempotency = { scope: `op-${unique()}`, digest: "d1" };
      const first = await core().takeSnapshot({ head, idempotency });
      expect(first.replayed).toBe(false);
      await createIn(core(), unique(), "{}");
      const again = await core().takeSnapshot({ head, idempotency });
      expect(again).toMatchObject({ replayed: true, index: first.index });
      expect(again.snapshot_index).toBeGreaterThanOrEqual(first.snapshot_index);
      const other = { ...idempotency, digest: "d2" };
      expect(await codeOf(core().takeSnapshot({ head, idempotency: other }))).toBe("idempotency_conflict");
      const led = { target_node_id: 1, head, idempotency: { scope: `op-${unique()}`, digest: "d1" } };
      expect(await core().transferLeader(led)).toMatchObject({ leader_id: 1, replayed: false });
      expect(await core().transferLeader(led)).toMatchObject({ leader_id: 1, replayed: true });
      const elsewhere = { ...led, target_node_id: 9, idempotency: { ...led.idempotency, digest: "d2" } };
      expect(await codeOf(core().transferLeader(elsewhere))).toBe("idempotency_conflict");
      expect((await core().takeSnapshot({ head })).replayed).toBe(false);
    });

    it("a snapshot says how far it reaches, twice", async () => {
      const { index } = await createIn(core(), unique(), "{}");
      for (let i = 0; i < 2; i += 1) {
        const taken = await core().takeSnapshot({ head });
        expect(taken).toMatchObject({ node_id: 1 });
        expect(taken.snapshot_index).toBeGreaterThanOrEqual(index);
      }
    });
  });
}
