import { createPrng, type Prng } from "../../consensus/sim/prng.ts";
import { type FuzzWorld, type Principal, PRINCIPALS } from "./fuzz-world.ts";
import { collectionOf } from "./known-things.ts";
import { type FuzzRequest, makeRequest } from "./make-request.ts";
import { type Api, type Operation, readOperations } from "./read-operations.ts";
import type { Making } from "./valid-values.ts";

/** A handler that has not answered then hangs: the slowest request here takes some hundred milliseconds. */
const ANSWER_MS_MAX = 15_000;
const VIOLATIONS_MAX = 50;
const SHOWN_CHARACTERS = 1_500;

export interface FuzzReport {
  requests: number;
  operations: number;
  byStatus: Record<string, number>;
  /** Principal -> status -> answers. */
  byPrincipal: Record<string, Record<string, number>>;
  /** Operations that never succeeded, for anybody, with what they answered. */
  neverOk: string[];
  signedInAnew: number;
  violations: string[];
}
interface Answer {
  status: number;
  text: string;
  headers: Headers;
}

/** Sends `requests` requests drawn from `seed`: the same seed draws the same ones, but for ids that the server makes. */
export async function runFuzz(
  world: FuzzWorld,
  options: { seed: number; requests: number; say?: (line: string) => void },
): Promise<FuzzReport> {
  const fuzz = new Fuzz(world, options.seed, await openApi(world));
  for (let i = 0; i < options.requests; i += 1) {
    await fuzz.step();
    if (fuzz.violations.length >= VIOLATIONS_MAX) break;
    if ((i + 1) % 1_000 === 0) options.say?.(`${i + 1} requests, ${fuzz.violations.length} violations`);
  }
  return fuzz.report();
}

async function openApi(world: FuzzWorld): Promise<Api> {
  const answer = await world.send("GET", "/openapi.json", undefined, {});
  return readOperations(await answer.json());
}

class Fuzz {
  readonly violations: string[] = [];
  readonly #world: FuzzWorld;
  readonly #seed: number;
  readonly #api: Api;
  readonly #prng: Prng;
  readonly #byStatus: Record<string, number> = {};
  readonly #byPrincipal: Record<string, Record<string, number>> = {};
  readonly #byOperation = new Map<Operation, Record<string, number>>();
  /** What the newest request without a fault was refused with. */
  readonly #refusals = new Map<Operation, string>();
  readonly #refused = new Set<Principal>();
  #turn: { operation: Operation; principal: Principal }[] = [];
  #sent = 0;
  #uniques = 0;
  #signedInAnew = 0;

  constructor(world: FuzzWorld, seed: number, api: Api) {
    this.#world = world;
    this.#seed = seed;
    this.#api = api;
    this.#prng = createPrng(seed);
  }

  async step(): Promise<void> {
    const { operation, principal } = this.#next();
    const making: Making = {
      prng: this.#prng,
      api: this.#api,
      speaker: principal.speaker,
      unique: () => (this.#uniques += 1),
    };
    const others = this.#world.principals.filter((one) => one.speaker.tenant !== principal.speaker.tenant);
    const foreign = this.#prng.pick(others) ?? principal;
    const request = spareTheWorld(makeRequest(making, operation, foreign.speaker), operation, principal);
    const headers = { ...principal.authorize(), ...request.headers };
    const answer = await within(this.#ask(request, headers));
    this.#sent += 1;
    if (answer === null)
      return this.#violated(`no answer within ${ANSWER_MS_MAX} ms`, request, principal, null);
    this.#count(operation, principal, answer.status);
    await this.#judge(operation, principal, request, answer);
    if (request.faults.length === 0 && ![401, 403].includes(answer.status))
      this.#refusals.set(operation, answer.text);
    if (answer.status < 300) this.#learn(operation, principal, answer);
    if (answer.status < 300 && request.method === "POST") {
      principal.speaker.known.learnLink(request.path, request.body);
    }
    if (answer.status === 404) principal.speaker.known.drop(request.path);
  }

  /** Every operation as every principal, in an order of its own each time. */
  #next(): { operation: Operation; principal: Principal } {
    if (this.#turn.length === 0) {
      const all = this.#api.operations.flatMap((operation) =>
        this.#world.principals.map((principal) => ({ operation, principal })),
      );
      this.#turn = this.#prng.shuffle(all);
    }
    const next = this.#turn.pop();
    if (next === undefined) throw new Error("there is nothing to send");
    return next;
  }

  async #ask(request: FuzzRequest, headers: Record<string, string>): Promise<Answer> {
    const response = await this.#world.send(request.method, request.path, request.body, headers);
    return { status: response.status, text: await response.text(), headers: response.headers };
  }

  async #judge(
    operation: Operation,
    principal: Principal,
    request: FuzzRequest,
    answer: Answer,
  ): Promise<void> {
    const violated = (what: string): void => this.#violated(what, request, principal, answer);
    if (answer.status >= 500) violated(`answered ${answer.status}`);
    const changes = await this.#world.changes();
    if (answer.status >= 400 || request.method === "GET") {
      const unexpected = changes.filter((change) => !mayChange(operation, change));
      if (unexpected.length > 0) violated(`answered ${answer.status} and changed ${unexpected.join(", ")}`);
    }
    const text = withoutEcho(answer.text, request.path);
    for (const marker of principal.hidden) {
      if (text.includes(marker)) violated(`shows ${marker}`);
    }
    const isAboutToken = !operation.isPublic && request.headers["authorization"] === undefined;
    if (answer.status === 401 && isAboutToken) await this.#signIn(principal, violated);
    else this.#refused.delete(principal);
  }

  /** A password that was changed, a restore: what ends a session has ended this one. A new one must be taken. */
  async #signIn(principal: Principal, violated: (what: string) => void): Promise<void> {
    if (principal.name === "nobody") return;
    if (this.#refused.has(principal)) violated("a token that was just made is refused");
    this.#refused.add(principal);
    await principal.signIn();
    this.#signedInAnew += 1;
  }

  #learn(operation: Operation, principal: Principal, answer: Answer): void {
    if (!answer.headers.get("content-type")?.startsWith("application/json")) return;
    const isOwn = principal.name !== "nobody" && principal.name !== "operator";
    const collection = collectionOf(operation.path);
    if (!isOwn && collection === "user") return;
    const json: unknown = JSON.parse(answer.text);
    if (operation.method === "DELETE") principal.speaker.known.forget(collection, json);
    else principal.speaker.known.learn(collection, json, answer.headers.get("etag"));
  }

  #count(operation: Operation, principal: Principal, status: number): void {
    const ofOperation = this.#byOperation.get(operation) ?? {};
    this.#byOperation.set(operation, ofOperation);
    const ofPrincipal = (this.#byPrincipal[principal.name] ??= {});
    for (const counts of [this.#byStatus, ofOperation, ofPrincipal])
      counts[status] = (counts[status] ?? 0) + 1;
  }

  #violated(what: string, request: FuzzRequest, principal: Principal, answer: Answer | null): void {
    const shown = (text: string | undefined): string =>
      JSON.stringify(text?.slice(0, SHOWN_CHARACTERS) ?? null);
    const logged = this.#world.logged();
    this.violations.push(
      `seed ${this.#seed}, request ${this.#sent}: ${request.method} ${request.path.slice(0, SHOWN_CHARACTERS)} as ${principal.name} ${what}\n` +
        `  faults: ${request.faults.join(", ")}\n  headers: ${JSON.stringify(request.headers)}\n` +
        `  body: ${shown(request.body)}\n  answer: ${shown(answer?.text)}\n  log: ${logged}`,
    );
  }

  report(): FuzzReport {
    const neverOk = this.#api.operations.flatMap((operation) => {
      const counts = this.#byOperation.get(operation) ?? {};
      if (Object.keys(counts).some((status) => /^[23]/.test(status))) return [];
      return [
        `${operation.method} ${operation.path}: ${JSON.stringify(counts)} ${this.#refusals.get(operation) ?? ""}`,
      ];
    });
    return {
      requests: this.#sent,
      operations: this.#api.operations.length,
      byStatus: this.#byStatus,
      byPrincipal: Object.fromEntries(PRINCIPALS.map((name) => [name, this.#byPrincipal[name] ?? {}])),
      neverOk,
      signedInAnew: this.#signedInAnew,
      violations: this.violations,
    };
  }
}

/**
 * An operator may delete a tenant or set its quotas to nothing, and then there is nothing left to send requests to. So
 * these two go to other tenants when an operator sends them: to those that requests have made, and to names that nobody has.
 */
function spareTheWorld(request: FuzzRequest, operation: Operation, principal: Principal): FuzzRequest {
  const isEnding = operation.path.endsWith("/tenants/{tenant}") && request.method !== "GET";
  if (!isEnding || principal.name !== "operator") return request;
  return { ...request, path: request.path.replace(/\/tenants\/(demo|other)\b/, "/tenants/spared") };
}

/** What a refusal changes because that is what it is for: the counts of failed sign-ins, and a stolen session's end. */
function mayChange(operation: Operation, change: string): boolean {
  return KEPT_OF_REFUSALS.some(([path, table]) => path.test(operation.path) && change.endsWith(` ${table}`));
}
const KEPT_OF_REFUSALS: readonly (readonly [RegExp, string])[] = [
  [/\/auth\/(login|password|break-glass|oidc\/callback)$/, "login_subjects"],
  [/\/auth\/(login|password|break-glass|oidc\/callback)$/, "login_addresses"],
  [/\/auth\/refresh$/, "session_families"],
];

/** An answer without the ids that the path brought: the id of an application has its name in it. */
function withoutEcho(text: string, path: string): string {
  let left = text;
  for (const part of path.split(/[/?&=]/)) {
    if (part.includes("mark-of-")) left = left.replaceAll(decodeURIComponent(part), "");
  }
  return left;
}

/** Null when it takes too long. */
async function within<T>(promise: Promise<T>): Promise<T | null> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<null>((resolve) => {
    timer = setTimeout(() => resolve(null), ANSWER_MS_MAX);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
