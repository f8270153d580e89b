import { describe, expect, it } from "vitest";
import { abilitiesNeeded } from "../command/command-kinds.ts";
import { parseCommand } from "../command/command-schema.ts";
import { TestingChanges } from "../change-request/testing-changes.ts";
import { testCommand, testConfigPayload } from "../command/testing-commands.ts";
import { sha256Hex } from "../sha256.ts";
import { sha256OfText } from "../sha256-of-text.ts";
import { judgedText } from "./judged-by.ts";

const ONE = new Uint8Array([1]);
const content = { attachment: 0, sha256: sha256Hex(ONE) };
const BY_NOTHING = sha256OfText(judgedText({ format: "json", schema: null }));
const OTHERS = [
  judgedText({ format: "json", schema: "{}" }),
  judgedText({ format: "text", schema: null }),
].map(sha256OfText);

const payloads = (config_id: string, judged_by?: string) => {
  const judged = judged_by === undefined ? {} : { judged_by };
  const rest = { schema: null, description: "", ...judged };
  const item = { config_id, expected_revision: null, content, releases: null, ...rest };
  return [
    ["create_version", { config_id, content, format: null, ...rest }],
    [
      "start_publish",
      { config_id, content, version_id: null, description: "", strategy: "all", stages: [], ...judged },
    ],
    ["batch_releases", { items: [{ ...item, default_version_id: "new" }], abort_plan: false }],
  ] as const;
};

describe("C3 a command that says by what its content was judged", () => {
  it("C3 is refused when the config has another format or schema by then, and writes nothing", () => {
    const t = new TestingChanges();
    const created = t.done("create_config", testConfigPayload("a", content.sha256, { format: "json" }));
    const { id } = created.config;
    for (const other of OTHERS) {
      for (const [kind, payload] of payloads(id, other))
        expect(t.code(kind, payload as never)).toBe("precondition_failed");
    }
    expect(t.config(id).latest_version_id).toBe(1);
    for (const judged of [BY_NOTHING, undefined])
      for (const [kind, payload] of payloads(id, judged)) expect(t.code(kind, payload as never)).toBe("ok");
    expect(t.config(id).latest_version_id).toBe(7);
  });

  it("R5 needs voters that know of it, and one that does not say needs none", () => {
    for (const [kind, payload] of payloads("cfg-1", BY_NOTHING)) {
      const command = testCommand(kind, payload as never);
      expect(parseCommand(command)).toEqual({ ok: true, command });
      expect(abilitiesNeeded(command as never)).toEqual([kind, "judged_content"]);
    }
    for (const [kind, payload] of payloads("cfg-1"))
      expect(abilitiesNeeded(testCommand(kind, payload as never) as never)).toEqual([kind]);
  });
});
