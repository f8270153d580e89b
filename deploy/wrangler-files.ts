import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "smol-toml";
import { z } from "zod";
import { kvBindingName } from "../contracts/delivery/replica-rpc.ts";
import { PROJECT_DIRECTORY } from "./run-command.ts";

export const WORKER_NAMES = ["watch", "edge", "admin"] as const;
export type WorkerName = (typeof WORKER_NAMES)[number];

/** A Worker's configuration, relative to the project. */
export const wranglerFile = (worker: WorkerName): string =>
  worker === "edge" ? "wrangler.toml" : `workers/${worker}/wrangler.toml`;

/** Secrets of each Worker, put in with `wrangler secret put`: with the bindings of its file, exactly what its code reads. */
export const WORKER_SECRETS: Readonly<Record<WorkerName, readonly string[]>> = {
  watch: ["CORE_SERVICE_KEY", "INDEX_SIGNING_KEY"],
  edge: ["CORE_SERVICE_KEY", "INDEX_SIGNING_KEY"],
  admin: [
    "CORE_SERVICE_KEY",
    "INDEX_SIGNING_KEY",
    "IDEMPOTENCY_KEY",
    "TOKEN_SIGNING_JWK",
    "LAMBDA_SERVICE_KEY",
  ],
};

/** Secrets that a Worker goes without: of what is switched off where they are not set. */
export const OPTIONAL_SECRETS: Readonly<Record<WorkerName, readonly string[]>> = {
  watch: [],
  edge: [],
  admin: ["OIDC_CLIENT_SECRET"],
};

const bound = z.array(z.looseObject({ binding: z.string() })).default([]);
const environmentSchema = z.looseObject({
  name: z.string(),
  vars: z.record(z.string(), z.string()).default({}),
  kv_namespaces: bound,
  services: bound,
  hyperdrive: bound,
  mtls_certificates: bound,
  ratelimits: z.array(z.looseObject({ name: z.string() })).default([]),
  durable_objects: z
    .looseObject({ bindings: z.array(z.looseObject({ name: z.string(), class_name: z.string() })) })
    .default({ bindings: [] }),
  queues: z
    .strictObject({
      producers: z.array(z.strictObject({ binding: z.string(), queue: z.string() })).default([]),
      consumers: z
        .array(z.looseObject({ queue: z.string(), dead_letter_queue: z.string(), max_retries: z.int() }))
        .default([]),
    })
    .default({ producers: [], consumers: [] }),
});
const fileSchema = environmentSchema.extend({
  env: z.record(z.string(), environmentSchema).default({}),
});
export type WranglerEnvironment = z.infer<typeof environmentSchema>;

/** One environment of a Worker's file; the top level is production. Throws when there is none of the name. */
export function readWranglerEnvironment(worker: WorkerName, environment: string): WranglerEnvironment {
  const path = wranglerFile(worker);
  const { env, ...production } = fileSchema.parse(parse(readFileSync(join(PROJECT_DIRECTORY, path), "utf8")));
  const found = environment === "production" ? production : env[environment];
  if (found === undefined) throw new RangeError(`${path} has no environment ${environment}`);
  return found;
}

/** Names that the configuration gives a Worker, sorted. */
export function bindingNames(environment: WranglerEnvironment): string[] {
  const { kv_namespaces, services, hyperdrive, mtls_certificates, durable_objects } = environment;
  const { queues, ratelimits, vars } = environment;
  return [
    ...Object.keys(vars),
    ...[kv_namespaces, services, hyperdrive, mtls_certificates, queues.producers].flatMap((list) =>
      list.map((b) => b.binding),
    ),
    ...[...durable_objects.bindings, ...ratelimits].map(({ name }) => name),
  ].toSorted();
}

/** Names that the Worker's code reads from its environment, with a KV namespace for each of `regions`, sorted. */
export function namesRead(worker: WorkerName, regions: readonly string[]): string[] {
  const folder = join(PROJECT_DIRECTORY, "workers", worker);
  const sources = readdirSync(folder).filter((name) => /^(?!testing)[\w-]+\.ts$/.test(name));
  const names = sources.flatMap((name) =>
    [...readFileSync(join(folder, name), "utf8").matchAll(/\benv\.([A-Z][A-Z0-9_]*)/g)].map(
      (m) => m[1] ?? "",
    ),
  );
  const readsKv = sources.some((name) => readFileSync(join(folder, name), "utf8").includes("kvBindingName("));
  return [...new Set([...names, ...(readsKv ? regions.map(kvBindingName) : [])])].toSorted();
}

/** Values that are still those of the example, as `WHERE = VALUE`. */
export function exampleValues(worker: WorkerName, environment: string): string[] {
  const found = readWranglerEnvironment(worker, environment);
  const ids = [...found.kv_namespaces, ...found.hyperdrive, ...found.mtls_certificates].map((b) => [
    b.binding,
    String(b["id"] ?? b["certificate_id"]),
  ]);
  return [...ids, ...Object.entries(found.vars)]
    .filter(([, value]) => /^0{8}|example\.com/.test(value ?? ""))
    .map(([name, value]) => `${name} = ${value}`);
}
