import * as fc from "fast-check";
import { ModelChecks } from "./model-checks.ts";
import { askedOf, type Expected, expectStep, type Json, keptUnder } from "./model-expect.ts";
import { aim, type ModelRequest, toRequest } from "./model-requests.ts";
import type { ModelState } from "./model-state.ts";
import { type Turn, turns } from "./model-steps.ts";
import { CONTENTS } from "./model-values.ts";
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
    env: "prod",
    regions: world.regions,
    configs: new Map(),
    gone: new Map(),
    kept: new Map(),
    hashes: await hashesOfContents(),
  };
  const checks = new ModelChecks(world, state);
  const sent: string[] = [];
  for (const turn of sequence) {
    const step = aim(state, turn.step);
    const request = toRequest(state, step);
    checks.before();
    const expected = expectStep(state, step, request);
    const { method, path, query, body, headers } = request;
    sent.push(
      `${method} ${path}${query === "" ? "" : `?${query}`} ${JSON.stringify(headers)} ${shorten(body)}`,
    );
    try {
      const answer = await world.send({ method, path: withQuery(request), body, headers });
      sent.push(`  ${answer.status} ${shorten(answer.text)}`);
      compareAnswer(state, request, expected, answer, checks);
      count(report, step.do, answer);
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
    const status = STATUS_BY_CODE[expected.code];
    if (answer.status !== status || json["code"] !== expected.code) {
      throw new Mismatch(`expected ${status} ${expected.code}, got ${answer.status} ${String(json["code"])}`);
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
  checks.has(json, expected.fields(), "the answer");
}

function count(report: ModelReport, done: string, { status, text }: ModelAnswer): void {
  report.steps += 1;
  const code = status < 300 ? "ok" : String((JSON.parse(text) as Json)["code"]);
  const answer = `${done} ${code}`;
  report.answers[answer] = (report.answers[answer] ?? 0) + 1;
}

async function hashesOfContents(): Promise<Record<string, string>> {
  const entries = Object.entries(CONTENTS).map(async ([name, { text }]) => {
    const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
    const hex = [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
    return [name, hex] as const;
  });
  return Object.fromEntries(await Promise.all(entries));
}
