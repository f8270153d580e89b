import { expect, it } from "vitest";
import { SCHEMA_SLICE_STEPS, SCHEMA_STEPS_MAX } from "../../adapters/json-schema/work-meter.ts";
import { SCHEMA_ERRORS_MAX } from "../../adapters/json-schema/validate-json-schema.ts";
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

type Send = ReturnType<typeof testingAdmin>["send"];

/** Creates a config while another is read again and again: how often that went, and the longest that it had to wait. */
async function createBeside(
  send: Send,
  config: Record<string, unknown>,
): Promise<{ answer: Response; others: number; longestMs: number }> {
  const made = await send("POST", CONFIGS, newConfig({ name: `beside-${String(config["name"])}` }));
  const { id } = await made.json<{ id: string }>();
  const state = { answered: false };
  const creating = send("POST", CONFIGS, config).finally(() => {
    state.answered = true;
  });
  let [others, longestMs] = [0, 0];
  while (!state.answered) {
    const before = Date.now();
    await new Promise((resolve) => {
      setTimeout(resolve, 0);
    });
    expect((await send("GET", `${CONFIGS}/${id}`)).status).toBe(200);
    longestMs = Math.max(longestMs, Date.now() - before);
    if (!state.answered) others++;
  }
  return { answer: await creating, others, longestMs };
}

it(
  "C3 answers other requests while the largest document is judged by a hard schema",
  { timeout: 120_000 },
  async () => {
    const { send } = testingAdmin();
    const content = `[${"1,".repeat(CONTENT_BYTES_MAX / 2 - 2)}1]`;
    const config = newConfig({ name: "hard.json", schema: hardSchema(), content });
    const { answer, others } = await createBeside(send, config);
    const problem = await readProblem(answer);
    expect(problem.code).toBe("validation_failed");
    expect(problem.errors).toEqual([
      { path: "/content", message: expect.stringContaining(`more than ${SCHEMA_STEPS_MAX} steps`) },
    ]);
    // As many turns as slices, about; judged in one go there would be a handful before it begins.
    expect(others).toBeGreaterThan(SCHEMA_STEPS_MAX / SCHEMA_SLICE_STEPS / 4);
  },
);

it(
  "C3 answers other requests while it looks where the largest document fails its schema",
  { timeout: 120_000 },
  async () => {
    const { send } = testingAdmin();
    const wrong = Array.from({ length: SCHEMA_ERRORS_MAX }, () => '"x"').join(",");
    const ones = Math.floor((CONTENT_BYTES_MAX - wrong.length - 2) / 2);
    const content = `[${"1,".repeat(ones)}${wrong}]`;
    const name = "wrong.json";
    const taken = await createBeside(send, newConfig({ content, name: "taken.json", schema: { items: {} } }));
    expect(taken.answer.status).toBe(201);
    const refused = await createBeside(
      send,
      newConfig({ content, name, schema: { items: { type: "integer" } } }),
    );
    const { errors } = await readProblem(refused.answer);
    expect(errors).toHaveLength(SCHEMA_ERRORS_MAX);
    expect(errors.at(-1)).toEqual({
      path: `/content/${ones + SCHEMA_ERRORS_MAX - 1}`,
      message: expect.stringContaining("integer"),
      line: 1,
      column: content.length - 3,
    });
    // Nobody waits for the places much longer than for the reading of such a document, which is undivided.
    expect(refused.longestMs).toBeLessThan(3 * taken.longestMs + 200);
  },
);
