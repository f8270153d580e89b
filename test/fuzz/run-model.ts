import * as fc from "fast-check";
import { ModelChecks } from "./model-checks.ts";
import { askedOf, expectStep, keptUnder } from "./model-expect.ts";
import { aim, type ModelRequest, toRequest } from "./model-requests.ts";
import type { Expected, Json } from "./model-shown.ts";
import type { ModelState } from "./model-state.ts";
import type { Step, Turn } from "./model-steps.ts";
import { turns } from "./model-turns.ts";
import { CONTENTS, hashOf } from "./model-values.ts";
import { Mismatch, type ModelAnswer, type ModelWorld } from "./model-world.ts";
import { STATUS_BY_CODE } from "../../contracts/problem/error-codes.ts";

export interface ModelReport {
  steps: number;
  /** By what was done and how it was answered. */
  answers: Record<string, number>;
}

/** How long a sequence that fails is shortened. */
const SHORTEN_MS_MAX = 60_000;

/**
 * Draws a sequence of up to so many steps from the seed and runs it. A sequence that fails is told to `onFailure` as it is,
 * and then shortened as far as time allows; the error shows what is left of it, with its requests.
 */
export async function runSeed(
  world: ModelWorld,
  input: { seed: number; stepsMax: number; report: ModelReport; onFailure?: (what: string) => void },
): Promise<void> {
  let tries = 0;
  await fc.assert(
    fc.asyncProperty(turns(input.stepsMax), async (sequence) => {
      tries += 1;
      try {
        await runTurns(world, sequence, { app: `model-${input.seed}-${tries}`, report: input.report });
      } catch (error) {
        if (tries === 1) input.onFailure?.(String(error));
        throw error;
      }
    }),
    { seed: input.seed, numRuns: 1, interruptAfterTimeLimit: SHORTEN_MS_MAX },
  );
}

/** Runs a sequence in an app of its own. Throws a `Mismatch` at the first step that goes otherwise than in the model. */
async function runTurns(
  world: ModelWorld,
  sequence: readonly Turn[],
  { app, report }: { app: string; report: ModelReport },
): Promise<void> {
  const state: ModelState = {
    tenant: world.tenant,
    app,
    regions: world.regions,
    users: world.users,
    configs: new Map(),
    gone: new Map(),
    kept: new Map(),
    policy: { required: 0, appliesTo: [] },
    changes: [],
    planned: null,
    hashes: await hashesOfContents(),
  };
  const checks = new ModelChecks(world, state);
  const sent: string[] = [];
  for (const turn of sequence) {
    const step = aim(state, turn.step);
    const request = toRequest(state, step);
    checks.before();
    const expected = expectStep(state, step, request);
    const { method, path, query, body, headers, user } = request;
    sent.push(
      `${user === 0 ? "" : `(${world.users[user] ?? ""}) `}${method} ${path}${query === "" ? "" : `?${query}`} ${JSON.stringify(headers)} ${shorten(body)}`,
    );
    try {
      const answer = await world.send({ method, path: withQuery(request), user, body, headers });
      sent.push(`  ${answer.status} ${shorten(answer.text)}`);
      compareAnswer(state, request, expected, answer, checks);
      count(report, nameOf(step), answer);
      await checks.after({ ...turn, step });
    } catch (error) {
      const what = error instanceof Mismatch ? error.message : String(error);
      throw new Mismatch(`${what}\n${sent.join("\n")}`, { cause: error });
    }
  }
}

const withQuery = ({ path, query }: ModelRequest): string => (query === "" ? path : `${path}?${query}`);
const SHOWN_CHARACTERS = 400;
const shorten = (text = ""): string => text.slice(0, SHOWN_CHARACTERS);

function compareAnswer(
  state: ModelState,
  request: ModelRequest,
  expected: Expected,
  answer: ModelAnswer,
  checks: ModelChecks,
): void {
  const json = JSON.parse(answer.text) as Json;
  const replayed = answer.header("idempotency-replayed");
  const isReplay = expected.kind === "replayed";
  if ((replayed === "true") !== isReplay) throw new Mismatch(`Idempotency-Replayed is ${replayed}`);
  if (expected.kind === "refused") {
    const code = expected.codes.find((one) => one === json["code"]);
    if (code === undefined || answer.status !== STATUS_BY_CODE[code]) {
      const wanted = expected.codes.join(" or ");
      throw new Mismatch(`expected ${wanted}, got ${answer.status} ${String(json["code"])}`);
    }
    return;
  }
  const status = isReplay ? expected.kept.status : expected.status;
  if (answer.status !== status) throw new Mismatch(`expected ${status}, got ${answer.status}`);
  if (expected.kind === "replayed") return checks.same(json, expected.kept.json, "the repeated answer");
  if (expected.kind === "written") {
    expected.learn(json);
    checks.moved(json["index"]);
    const etag = answer.header("etag");
    if (etag !== null && etag !== json["etag"]) throw new Mismatch(`ETag ${etag} is not the body's`);
    if (request.key !== null) {
      state.kept.set(keptUnder(request), { asked: askedOf(request), status, json });
    }
  }
  if (expected.kind === "read") expected.learn?.(json);
  checks.has(json, expected.fields(), "the answer");
}

/** Of an operation that is asked for, and of a step with a change request, which. */
function nameOf(step: Step): string {
  if (step.do === "ask") return `ask ${step.of.do}`;
  if (step.do === "apply") return step.isDry ? "plan" : step.asPlanned ? "apply as planned" : "apply";
  return step.do === "settle" ? step.settle : step.do;
}

function count(report: ModelReport, done: string, { status, text }: ModelAnswer): void {
  report.steps += 1;
  const code = status < 300 ? "ok" : String((JSON.parse(text) as Json)["code"]);
  const answer = `${done} ${code}`;
  report.answers[answer] = (report.answers[answer] ?? 0) + 1;
}

async function hashesOfContents(): Promise<Record<string, string>> {
  const entries = Object.entries(CONTENTS).map(
    async ([name, { text }]) => [name, await hashOf(text)] as const,
  );
  return Object.fromEntries(await Promise.all(entries));
}
