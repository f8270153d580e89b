import type { Prng } from "../../consensus/sim/prng.ts";
import { TEST_REGIONS } from "../../workers/admin/testing-admin.ts";
import type { Kind, KnownThings } from "./known-things.ts";
import type { Api, Schema } from "./read-operations.ts";

/** Who sends a request, and what may stand in it. */
export interface Speaker {
  tenant: string;
  /** Stands in what the speaker writes, and must be in no answer to another tenant. Null: the speaker has none. */
  marker: string | null;
  known: KnownThings;
}
export interface Making {
  prng: Prng;
  api: Api;
  speaker: Speaker;
  /** A number that no other call was given. */
  unique: () => number;
}

export const PASSWORD = "correct horse battery";
export const REDIRECT_ORIGIN = "https://console.example.com";
const OPTIONAL_SHARE = 0.35;
const DEPTH_MAX = 8;
const ITEMS_MAX = 3;

/** A value that the schema accepts, made with the names and ids that are there, so that much of it succeeds. */
export function validValue(making: Making, schema: Schema, field: string, depth = 0): unknown {
  const { prng, api } = making;
  const found = api.resolve(schema);
  const choice = prng.pick(found.anyOf ?? found.oneOf ?? []);
  if (choice !== undefined) return validValue(making, choice, field, depth + 1);
  if (found.const !== undefined) return found.const;
  if (found.enum !== undefined) return prng.pick(found.enum);
  const type = Array.isArray(found.type) ? prng.pick(found.type) : found.type;
  switch (type) {
    case "object":
      return validObject(making, found, depth);
    case "array":
      return validArray(making, found, field, depth);
    case "integer":
    case "number":
      return validNumber(making, found, field);
    case "boolean":
      // KMS is not there in a test: one asks for encryption all the same, now and then.
      return field === "encrypt" ? prng.chance(0.05) : prng.chance(0.5);
    case "null":
      return null;
    case "string":
      return validText(making, found, field);
    default:
      return prng.pick([null, true, 1, "any"]);
  }
}

function validObject(making: Making, schema: Schema, depth: number): unknown {
  const { prng } = making;
  const required = new Set(schema.required);
  const value: Record<string, unknown> = {};
  for (const [name, property] of Object.entries(schema.properties ?? {})) {
    if (!required.has(name) && (depth > DEPTH_MAX || !prng.chance(OPTIONAL_SHARE))) continue;
    value[name] = validValue(making, property, name, depth + 1);
  }
  if (schema.propertyNames !== undefined) {
    const names = [...new Set([prng.pick(["canary", "tenant", "plan"]) ?? "", "region"])];
    for (const name of names.slice(0, 1 + prng.below(2))) value[name] = text(making);
  }
  if (schema.properties !== undefined && "user_id" in schema.properties) return userRef(making);
  return fitTogether(making, value);
}

/** What a schema of one field cannot say: which fields go together. */
function fitTogether(making: Making, value: Record<string, unknown>): unknown {
  const { prng } = making;
  const contents: Record<string, string> = {
    json: JSON.stringify({ note: text(making), n: making.unique() }),
    yaml: `note: "${text(making)}"\nn: ${making.unique()}\n`,
    toml: `note = "${text(making)}"\n`,
    properties: `note=${text(making)}\n`,
  };
  const hasContent =
    "content" in value || "content_base64" in value || "format" in value || "strategy" in value;
  if (hasContent) {
    const content = contents[typeof value["format"] === "string" ? value["format"] : "json"] ?? text(making);
    delete value["content"];
    delete value["content_base64"];
    if (!("version_id" in value)) {
      if (prng.chance(0.8)) value["content"] = content;
      else value["content_base64"] = Buffer.from(content).toString("base64");
    }
  }
  if ("schema" in value) value["schema"] = prng.pick([{ type: "object" }, '{"type":"object"}', true, {}]);
  if ("release" in value && "releases" in value) delete value["release"];
  if ("role_ids" in value || "username" in value || "group_ids" in value) addRole(making, value);
  if ("op" in value) value["values"] = CONDITION_VALUES[value["op"] as string] ?? ["a", "b"];
  return value;
}

const CONDITION_VALUES: Record<string, string[]> = {
  regex: ["^a+$"],
  semver: ["~1.2.0"],
  cidr: ["10.0.0.0/8"],
  exists: ["true"],
  gt: ["1.5"],
  lt: ["10"],
};

/** A new user must hold a role or be in a group. */
function addRole({ prng, speaker }: Making, value: Record<string, unknown>): void {
  if (!("password" in value) || !("tenant" in value)) return;
  const role = speaker.known.pick(prng, "role");
  if (role !== undefined) value["role_ids"] = [role];
}

/** A user by id or by name. */
function userRef(making: Making): unknown {
  return making.prng.chance(0.5)
    ? { user_id: known("user")(making) }
    : { username: known("username")(making) };
}

function validArray(making: Making, schema: Schema, field: string, depth: number): unknown {
  const least = schema.minItems ?? 0;
  const most = Math.min(schema.maxItems ?? ITEMS_MAX, least + ITEMS_MAX);
  const length = least + making.prng.below(most - least + 1);
  return Array.from({ length }, () => validValue(making, schema.items ?? {}, singular(field), depth + 1));
}
const singular = (field: string): string => field.replace(/s$/, "");

function validNumber({ prng, unique }: Making, schema: Schema, field: string): number {
  if (/version/.test(field)) return 1 + prng.below(3);
  if (field === "node_id" || field === "target_node_id") return 1 + prng.below(4);
  // Minutes and seconds of nothing that the run waits for.
  if (field === "wait_ms") return 0;
  const least = schema.minimum ?? (schema.exclusiveMinimum === undefined ? 0 : schema.exclusiveMinimum + 1);
  const most = schema.maximum ?? 1_000_000;
  const drawn = prng.pick([least, most, Math.min(most, least + 1 + (unique() % 50))]) ?? least;
  return schema.type === "integer" ? Math.ceil(drawn) : drawn;
}

/** Text that marks whose it is, where the speaker has a mark. */
function text({ prng, speaker, unique }: Making): string {
  const plain = `v${unique()}`;
  return speaker.marker !== null && prng.chance(0.6) ? `${speaker.marker}-${plain}` : plain;
}

function validText(making: Making, schema: Schema, field: string): string {
  const isDigits = schema.pattern?.includes("\\d{0,14}") === true;
  const made = isDigits ? String(1 + making.prng.below(2)) : (FIELDS[field]?.(making) ?? text(making));
  const least = schema.minLength ?? 0;
  return made.padEnd(least, "x").slice(0, schema.maxLength ?? Infinity);
}

const known =
  (kind: Kind) =>
  (making: Making): string =>
    making.speaker.known.pick(making.prng, kind) ?? `nothing-${making.unique()}`;
const oneOf =
  (...values: string[]) =>
  ({ prng }: Making): string =>
    prng.pick(values) ?? "";
const tenant = ({ prng, speaker }: Making): string =>
  prng.chance(0.9) ? speaker.tenant : (prng.pick(["demo", "other", "_system", "ghost"]) ?? "");

/** What a field's name says of its text. */
const FIELDS: Record<string, (making: Making) => string> = {
  tenant,
  app: oneOf("shop", "web"),
  env: oneOf("prod", "test"),
  cluster_id: oneOf("c1"),
  raft_address: oneOf("127.0.0.1:7501", "[::1]:7501"),
  backup_id: known("backup"),
  url: (making) => `memory:///c1/manifests/${known("backup")(making)}.json`,
  user_id: known("user"),
  role_id: known("role"),
  group_id: known("group"),
  refresh_token: known("refresh-token"),
  password: oneOf(PASSWORD),
  current: oneOf(PASSWORD),
  new: oneOf(`${PASSWORD}!`),
  username: (making) =>
    making.prng.chance(0.5)
      ? known("username")(making)
      : `somebody-of-${making.speaker.tenant}-${making.unique()}`,
  email: ({ unique }) => `u${unique()}@example.com`,
  scope: (making) => `read:${tenant(making)}/shop/prod/*`,
  resource_pattern: (making) =>
    `${tenant(making)}/${making.prng.pick(["**", "shop/**", "shop/prod/*", "web/test/a"]) ?? ""}`,
  resource: (making) => `${tenant(making)}/**`,
  region: oneOf(...TEST_REGIONS),
  "edge.region": oneOf(...TEST_REGIONS),
  redirect: oneOf(`${REDIRECT_ORIGIN}/signed-in`),
  cursor: known("cursor"),
  from: oneOf("2026-01-01T00:00:00Z"),
  to: oneOf("2027-01-01T00:00:00+02:00"),
  version: oneOf("1", "2"),
};
