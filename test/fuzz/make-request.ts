import type { Prng } from "../../consensus/sim/prng.ts";
import { HOSTILE_BODIES, hostileText, hostileValue } from "./hostile-values.ts";
import { kindOfPlaceholder } from "./known-things.ts";
import type { Operation, Parameter } from "./read-operations.ts";
import { type Making, validValue } from "./valid-values.ts";

export interface FuzzRequest {
  method: string;
  path: string;
  headers: Record<string, string>;
  body: string | undefined;
  /** What was made wrong on purpose; empty: the request is as its schemas want it. */
  faults: string[];
}
export interface Parts {
  path: Map<string, string>;
  /** Names may come twice. */
  query: [string, string][];
  headers: Record<string, string>;
  body: unknown;
  /** Instead of `body`. */
  rawBody: string | undefined;
  faults: string[];
}

const INVALID_SHARE = 0.5;
const FAULTS_MAX = 2;
const KEYS = 40;

/** A request of an operation: half of them valid, half with one or two faults. `foreign` are things of another tenant. */
export function makeRequest(making: Making, operation: Operation, foreign: Making["speaker"]): FuzzRequest {
  const { prng } = making;
  const parts = validParts(making, operation);
  if (prng.chance(INVALID_SHARE)) {
    const count = 1 + prng.below(FAULTS_MAX);
    for (let i = 0; i < count; i += 1) (prng.pick(FAULTS) ?? breakBody)(parts, operation, prng);
  }
  if (prng.chance(0.15)) nameForeign(parts, operation, prng, foreign);
  const request = assemble(operation, parts);
  // By chance one would hardly ever name a member of the group that is named before it.
  const link = prng.chance(0.5) ? making.speaker.known.pick(prng, "link") : undefined;
  const isOf = link !== undefined && request.method === "DELETE" && leadsTo(operation.path, link);
  return isOf ? { ...request, path: link } : request;
}

const leadsTo = (template: string, path: string): boolean =>
  new RegExp(`^${template.replaceAll(/\{\w+\}/g, "[^/?]+")}(\\?|$)`).test(path);

function validParts(making: Making, operation: Operation): Parts {
  const { prng } = making;
  const parts: Parts = {
    path: new Map(),
    query: [],
    headers: {},
    body: undefined,
    rawBody: undefined,
    faults: [],
  };
  for (const parameter of operation.parameters) {
    if (parameter.required !== true && !prng.chance(parameter.name === "tenant" ? 0.9 : 0.3)) continue;
    const value = parameterValue(making, operation, parameter);
    if (value === undefined) continue;
    if (parameter.in === "path") parts.path.set(parameter.name, value);
    else if (parameter.in === "query") parts.query.push([parameter.name, value]);
    else parts.headers[parameter.name] = value;
  }
  if (operation.path.endsWith("/resolve")) parts.query.push(["label.canary", "true"]);
  if (operation.body !== null) parts.body = validValue(making, operation.body, "body");
  return parts;
}

function parameterValue(making: Making, operation: Operation, parameter: Parameter): string | undefined {
  const { prng, speaker, unique } = making;
  if (parameter.in === "path") {
    const kind = kindOfPlaceholder(operation.path, parameter.name);
    // So that more is made than taken away.
    const isSpared = operation.method === "DELETE" && operation.path.endsWith("/{id}") && prng.chance(0.6);
    if (kind !== null && !isSpared) return speaker.known.pick(prng, kind) ?? `nothing-${unique()}`;
    if (kind !== null) return `nothing-${unique()}`;
  }
  if (parameter.name === "x-idempotency-key") return `key-${prng.below(KEYS)}`;
  if (parameter.name === "if-match") {
    return prng.chance(0.5) ? "*" : (speaker.known.pick(prng, "etag") ?? '"stale"');
  }
  if (parameter.name === "cursor") return speaker.known.pick(prng, "cursor");
  // A path and a query are no secrets: the audit of another tenant may name them.
  const unmarked = { ...making, speaker: { ...speaker, marker: null } };
  return String(validValue(unmarked, parameter.schema, parameter.name));
}

type Fault = (parts: Parts, operation: Operation, prng: Prng) => void;

const breakPath: Fault = (parts, operation, prng) => {
  const name = prng.pick([...parts.path.keys()]);
  if (name === undefined) return breakQuery(parts, operation, prng);
  parts.path.set(name, hostileText(prng));
  parts.faults.push(`path ${name}`);
};

const breakQuery: Fault = (parts, operation, prng) => {
  const names = operation.parameters.filter((p) => p.in === "query").map((p) => p.name);
  const name = prng.pick([...names, ...names, "unknown", "__proto__", "tenant", "label.x", "limit"]) ?? "x";
  const value = prng.chance(0.3) ? String(prng.pick([-1, 0, 201, 1e21, 2 ** 53])) : hostileText(prng);
  if (prng.chance(0.7)) parts.query = parts.query.filter(([known]) => known !== name);
  parts.query.push([name, value]);
  parts.faults.push(`query ${name}`);
};

const breakHeaders: Fault = (parts, _operation, prng) => {
  const [name, value] = prng.pick([
    ["x-idempotency-key", "k".repeat(129)],
    ["x-idempotency-key", ""],
    ["x-idempotency-key", "\u00e9".repeat(65)],
    ["if-match", "not an etag"],
    ["if-match", 'W/"1", "2"'],
    ["if-match", "x".repeat(1025)],
    ["content-type", "text/plain"],
    ["content-type", "application/json; charset=latin1"],
    ["content-encoding", "gzip"],
    ["accept", "text/event-stream"],
    ["x-conflux-min-index", "c1.1.999999.forged"],
    ["traceparent", "00-ffffffffffffffffffffffffffffffff-0000000000000000-zz"],
    ["x-forwarded-for", "127.0.0.1, \u00ff"],
    ["cf-connecting-ip", "not an address"],
    ["authorization", "Bearer ey.ey.ey"],
  ] as const) ?? ["accept", "*"];
  parts.headers[name] = value;
  parts.faults.push(`header ${name}`);
};

const breakBody: Fault = (parts, operation, prng) => {
  if (prng.chance(0.2)) {
    parts.rawBody = prng.pick(HOSTILE_BODIES) ?? "";
    parts.faults.push("raw body");
  } else if (typeof parts.body === "object" && parts.body !== null) {
    parts.faults.push(`body ${breakNode(parts.body as Record<string, unknown>, prng)}`);
  } else if (operation.method !== "GET") {
    parts.body = hostileValue(prng);
    parts.faults.push("a body");
  } else breakQuery(parts, operation, prng);
};

/** Replaces, removes or adds one thing somewhere in a tree; answers where. */
function breakNode(node: Record<string, unknown>, prng: Prng): string {
  const key = prng.pick(Object.keys(node));
  if (key === undefined || prng.chance(0.15)) {
    const added =
      prng.pick(["unknown", "constructor", "id", "tenant", "is_operator", "0", "toString"]) ?? "x";
    node[added] = hostileValue(prng);
    return `+${added}`;
  }
  const child = node[key];
  if (typeof child === "object" && child !== null && prng.chance(0.6)) {
    return `${key}/${breakNode(child as Record<string, unknown>, prng)}`;
  }
  if (prng.chance(0.2)) {
    if (Array.isArray(node)) node.length = 0;
    else delete node[key];
    return `-${key}`;
  }
  node[key] = hostileValue(prng);
  return key;
}

const FAULTS: readonly Fault[] = [breakBody, breakBody, breakPath, breakQuery, breakHeaders];

/** Asks for what is another tenant's, as well as the speaker can. */
function nameForeign(parts: Parts, operation: Operation, prng: Prng, foreign: Making["speaker"]): void {
  for (const name of parts.path.keys()) {
    const kind = kindOfPlaceholder(operation.path, name);
    const value = kind === null ? undefined : foreign.known.pick(prng, kind);
    if (value !== undefined) parts.path.set(name, value);
  }
  const { body } = parts;
  if (typeof body === "object" && body !== null)
    nameForeignIn(body as Record<string, unknown>, prng, foreign);
  if (prng.chance(0.5)) {
    parts.query = parts.query.map(([name, value]) => [name, name === "tenant" ? foreign.tenant : value]);
    if (typeof body === "object" && body !== null && "tenant" in body) body.tenant = foreign.tenant;
  }
  const cursor = foreign.known.pick(prng, "cursor");
  if (cursor !== undefined && prng.chance(0.3)) parts.query.push(["cursor", cursor]);
  parts.faults.push("another tenant's");
}

/** Ids of things that a body hands on. Not names: who knows a user's name may take the user in. */
function nameForeignIn(body: Record<string, unknown>, prng: Prng, foreign: Making["speaker"]): void {
  for (const [field, kind] of [
    ["user_id", "user"],
    ["role_id", "role"],
    ["role_ids", "role"],
    ["group_ids", "group"],
    ["backup_id", "backup"],
  ] as const) {
    const id = foreign.known.pick(prng, kind);
    if (id !== undefined && field in body) body[field] = field.endsWith("s") ? [id] : id;
  }
}

function assemble(operation: Operation, parts: Parts): FuzzRequest {
  const path = operation.path.replaceAll(/\{(\w+)\}/g, (_, name: string) =>
    encode(parts.path.get(name) ?? "").replaceAll(/^\.{1,2}$/g, (dots) => dots.replaceAll(".", "%2E")),
  );
  const query = parts.query.map(([name, value]) => `${encode(name)}=${encode(value)}`).join("&");
  const json = parts.body === undefined ? undefined : JSON.stringify(parts.body);
  const body = parts.rawBody ?? json;
  return {
    method: operation.method,
    path: query === "" ? path : `${path}?${query}`,
    headers: { ...(body === undefined ? {} : { "content-type": "application/json" }), ...parts.headers },
    body: operation.method === "GET" ? undefined : body,
    faults: parts.faults,
  };
}

/** As `encodeURIComponent`, for half of a surrogate pair too: it goes as the three bytes that it would have. */
function encode(text: string): string {
  return text
    .split(/([\uD800-\uDFFF])/u)
    .map((part) => (/^[\uD800-\uDFFF]$/u.test(part) ? "%ED%A0%80" : encodeURIComponent(part)))
    .join("");
}
