import type { Prng } from "../../consensus/sim/prng.ts";

/** Ids that answers gave, by what they are of. */
export type Kind =
  | "config"
  | "publish"
  | "data-source"
  | "api-record"
  | "api-meta"
  | "change-request"
  | "application"
  | "user"
  | "role"
  | "group"
  | "client-token"
  | "backup"
  | "job"
  | "tenant"
  | "username"
  | "cursor"
  | "etag"
  | "refresh-token"
  /** The whole path of a thing in another: a member of a group, a permission of a role. */
  | "link";

/** So that what was deleted long ago makes room for what is there. */
const KEPT_MAX = 24;

/** What the answers to one tenant's users have shown of it, the newest last: what later requests are made of. */
export class KnownThings {
  readonly #byKind = new Map<Kind, string[]>();
  readonly #never: ReadonlySet<string>;

  /** `never` are ids that no request of ours may change: those of the users who send them, and of their roles. */
  constructor(never: ReadonlySet<string>) {
    this.#never = never;
  }

  add(kind: Kind, value: unknown): void {
    if (typeof value !== "string" || value === "" || this.#never.has(value)) return;
    const known = this.#byKind.get(kind) ?? [];
    if (known.includes(value)) return;
    known.push(value);
    if (known.length > KEPT_MAX) known.shift();
    this.#byKind.set(kind, known);
  }

  pick(prng: Prng, kind: Kind): string | undefined {
    return prng.pick(this.#byKind.get(kind) ?? []);
  }

  /** Of a deletion's answer: what is not there any more. */
  forget(kind: Kind | null, json: unknown): void {
    if (kind === null || typeof json !== "object" || json === null) return;
    const gone = (json as Record<string, unknown>)[kind === "tenant" ? "name" : "id"];
    const known = this.#byKind.get(kind) ?? [];
    this.#byKind.set(
      kind,
      known.filter((value) => value !== gone),
    );
  }

  /** Of a refusal: whatever a path names is not there. */
  drop(path: string): void {
    const parts = new Set(path.split(/[/?]/).map((part) => part.replaceAll("%3A", ":")));
    for (const [kind, known] of this.#byKind) {
      this.#byKind.set(
        kind,
        known.filter((value) => !parts.has(value)),
      );
    }
  }

  /** Takes up what a request has put into a list: how to take it out again. */
  learnLink(path: string, body: string | undefined): void {
    if (!/\/(users|members|roles|permissions)$/.test(path) || body === undefined) return;
    const { user_id, role_id, action, resource_pattern } = JSON.parse(body) as Record<string, string>;
    const target = user_id ?? role_id;
    if (target !== undefined) this.add("link", `${path}/${target}`);
    else if (action !== undefined)
      this.add(
        "link",
        `${path}?action=${action}&resource_pattern=${encodeURIComponent(resource_pattern ?? "")}`,
      );
  }

  /** Takes up what an answer shows. `collection` is the kind of the things that the path is about. */
  learn(collection: Kind | null, json: unknown, etag: string | null): void {
    if (etag !== null) this.add("etag", etag);
    if (typeof json !== "object" || json === null) return;
    const answer = json as Record<string, unknown>;
    this.add("cursor", answer["next_cursor"] ?? answer["resume_cursor"]);
    this.add("refresh-token", answer["refresh_token"]);
    const items = Array.isArray(answer["items"]) ? (answer["items"] as unknown[]) : [answer];
    for (const item of items) {
      if (typeof item !== "object" || item === null) continue;
      const thing = item as Record<string, unknown>;
      if (collection !== null) this.add(collection, thing[collection === "tenant" ? "name" : "id"]);
      for (const [kind, field] of OWN_FIELDS) this.add(kind, thing[field]);
    }
  }
}

const OWN_FIELDS = [
  ["publish", "publish_id"],
  ["backup", "backup_id"],
  ["job", "job_id"],
  ["username", "username"],
  ["etag", "etag"],
] as const;

const COLLECTIONS: readonly (readonly [RegExp, Kind])[] = [
  [/\/gray\/data-sources\b/, "data-source"],
  [/\/gray\/api-records\b/, "api-record"],
  [/\/gray\/api-metas\b/, "api-meta"],
  [/\/change-requests\b/, "change-request"],
  [/\/roles\/[^/]+\/users\b|\/members\b|\/users\b/, "user"],
  [/\/user-groups\/[^/]+\/roles\b|\/roles\b/, "role"],
  [/\/user-groups\b/, "group"],
  [/\/publish(es)?\b/, "publish"],
  [/\/mgt\/configs\b/, "config"],
  [/\/applications\b/, "application"],
  [/\/client-tokens\b/, "client-token"],
  [/\/backups\b/, "backup"],
  [/\/jobs\b/, "job"],
  [/\/tenants\b/, "tenant"],
];

/** What the things of a path are: those of its last collection. */
export function collectionOf(path: string): Kind | null {
  if (/\/(permissions|versions|releases|rollback|resolve|delivery)\b/.test(path)) return null;
  return COLLECTIONS.find(([pattern]) => pattern.test(path))?.[1] ?? null;
}

/** What the placeholder of a path names: the collection before it. */
export function kindOfPlaceholder(path: string, name: string): Kind | null {
  const before = path.slice(0, path.indexOf(`{${name}}`));
  const collection = before.split("/").at(-2) ?? "";
  const kinds: Record<string, Kind> = {
    configs: "config",
    "data-sources": "data-source",
    "api-records": "api-record",
    "api-metas": "api-meta",
    "change-requests": "change-request",
    publishes: "publish",
    applications: "application",
    users: "user",
    members: "user",
    roles: "role",
    "user-groups": "group",
    "client-tokens": "client-token",
    backups: "backup",
    jobs: "job",
    tenants: "tenant",
  };
  return kinds[collection] ?? null;
}
