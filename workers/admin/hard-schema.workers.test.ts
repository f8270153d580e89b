import { expect, it } from "vitest";
import { SCHEMA_SLICE_STEPS, SCHEMA_STEPS_MAX } from "../../adapters/json-schema/work-meter.ts";
import { CONTENT_BYTES_MAX } from "../../contracts/limits.ts";
import { newConfig, readProblem, testingAdmin } from "./testing-admin.ts";

const CONFIGS = "/api/v1/mgt/configs";

/** A schema that asks of one number 2^60 questions. */
function hardSchema(): Record<string, unknown> {
  const levels = Array.from({ length: 60 }, (_, i) => {
    const next = { $ref: `#/$defs/level${i + 1}` };
    return [`level${i}`, { anyOf: [next, next] }] as const;
  });
  const $defs = Object.fromEntries([...levels, ["level60", { type: "string" }]]);
  return { items: { $ref: "#/$defs/level0" }, $defs };
}

it(
  "C3 answers other requests while the largest document is judged by a hard schema",
  { timeout: 120_000 },
  async () => {
    const { send } = testingAdmin();
    const { id } = await (await send("POST", CONFIGS, newConfig())).json<{ id: string }>();
    const content = `[${"1,".repeat(CONTENT_BYTES_MAX / 2 - 2)}1]`;
    const state = { answered: false };
    const hard = send(
      "POST",
      CONFIGS,
      newConfig({ name: "hard.json", schema: hardSchema(), content }),
    ).finally(() => {
      state.answered = true;
    });
    let others = 0;
    while (!state.answered) {
      await new Promise((resolve) => {
        setTimeout(resolve, 0);
      });
      expect((await send("GET", `${CONFIGS}/${id}`)).status).toBe(200);
      if (!state.answered) others++;
    }
    const problem = await readProblem(await hard);
    expect(problem.code).toBe("validation_failed");
    expect(problem.errors).toEqual([
      { path: "/content", message: expect.stringContaining(`more than ${SCHEMA_STEPS_MAX} steps`) },
    ]);
    // As many turns as slices, about; judged in one go there would be a handful before it begins.
    expect(others).toBeGreaterThan(SCHEMA_STEPS_MAX / SCHEMA_SLICE_STEPS / 4);
  },
);
