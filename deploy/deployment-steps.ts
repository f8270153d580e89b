/**
 * The deployment, in order: what others need first, and the Worker whose update closes sockets before those that would
 * only reconnect to it. Each step's check needs no account; its run uses the accounts that the environment names.
 */
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { migrate, MigrationRefusedError, readMigrations } from "../adapters/postgres/migrate.ts";
import { setAppPassword } from "../adapters/postgres/set-app-password.ts";
import { exampleSettings, parseDeploymentSettings, settingsKey } from "../cdk/deployment-settings.ts";
import { DeployRefusal } from "./refusal.ts";
import { PROJECT_DIRECTORY, runCommand } from "./run-command.ts";
import type { DeployStep } from "./run-steps.ts";
import { smokeTest } from "./smoke-test.ts";
import {
  bindingNames,
  exampleValues,
  namesRead,
  readWranglerEnvironment,
  WORKER_NAMES,
  OPTIONAL_SECRETS,
  WORKER_SECRETS,
  type WorkerName,
  wranglerFile,
} from "./wrangler-files.ts";

/**
 * Compressed size of each Worker. Cloudflare takes 3 MiB on the free plan; a cold start grows with the size. A quarter of
 * the edge's is the engine for regular expressions in release rules. The admin's carries every format's parser, the schema
 * validator and sign-in at a provider; nobody waits for its cold start but an administrator.
 */
export const WORKER_GZIP_KIB_MAX: Readonly<Record<WorkerName, number>> = {
  watch: 200,
  edge: 250,
  admin: 620,
};
const MIGRATIONS_DIRECTORY = join(PROJECT_DIRECTORY, "migrations");

/** Variables that a real deployment needs, and what each is. */
export const REQUIRED_VARIABLES: Readonly<Record<string, string>> = {
  CLOUDFLARE_API_TOKEN: "a token that may edit Workers, KV, Queues and Hyperdrive",
  CLOUDFLARE_ACCOUNT_ID: "the Cloudflare account",
  AWS_REGION: "the region of cdk.json",
  CONFLUX_OWNER_DATABASE_URL: "Postgres as the owner, through the tunnel",
  CONFLUX_APP_DATABASE_PASSWORD: "the secret AppDatabasePassword",
  CONFLUX_EDGE_URL: "where conflux-edge answers",
  CONFLUX_ADMIN_URL: "where conflux-admin answers",
};

export interface DeploymentInput {
  /** `production` or an environment of the wrangler files. */
  environment: string;
  variables: Readonly<Record<string, string | undefined>>;
}

/** Throws a `DeployRefusal` in one sentence when a real deployment lacks a variable or still has an example's value. */
export async function refuseIncomplete({ environment, variables }: DeploymentInput): Promise<void> {
  const missing = Object.entries(REQUIRED_VARIABLES).filter(([name]) => !variables[name]);
  if (missing.length > 0) {
    const list = missing.map(([name, what]) => `${name} (${what})`).join(", ");
    throw new DeployRefusal(`A deployment needs these variables, which are not set: ${list}.`);
  }
  const examples = [
    ...exampleSettings(await readSettings(environment)).map((name) => `cdk.json ${name}`),
    ...WORKER_NAMES.flatMap((w) =>
      exampleValues(w, environment).map((value) => `${wranglerFile(w)} ${value}`),
    ),
  ];
  if (examples.length > 0) {
    throw new DeployRefusal(`These still have the example's value (docs/deploy.md): ${examples.join(", ")}.`);
  }
}

/** The steps of a deployment in their order. */
export function deploymentSteps(input: DeploymentInput): DeployStep[] {
  return [
    migrationsStep(input),
    secretsStep(input),
    infrastructureStep(input),
    ...WORKER_NAMES.map((worker) => workerStep(worker, input)),
    smokeTestStep(input),
  ];
}

function migrationsStep({ variables }: DeploymentInput): DeployStep {
  return {
    name: "migrations",
    check: async () => {
      const names = await checkMigrations(MIGRATIONS_DIRECTORY);
      return [`${names.length} in order: ${names.join(", ")}`];
    },
    run: async () => {
      const url = variables["CONFLUX_OWNER_DATABASE_URL"] ?? "";
      const applied = await migrate({ url, directory: MIGRATIONS_DIRECTORY });
      await setAppPassword({ ownerUrl: url, password: variables["CONFLUX_APP_DATABASE_PASSWORD"] ?? "" });
      return [applied.length === 0 ? "nothing to apply" : `applied ${applied.join(", ")}`];
    },
  };
}

/** The names of a directory's migrations. Refuses a gap in their numbers and one that would end its own transaction. */
export async function checkMigrations(directory: string): Promise<string[]> {
  try {
    const migrations = await readMigrations(directory);
    for (const [i, { name, sql }] of migrations.entries()) {
      if (Number(name.slice(0, 4)) !== i + 1) {
        throw new DeployRefusal(`${name} should have the number ${i + 1}.`);
      }
      if (/^\s*(?:begin|commit|rollback)\s*;/im.test(sql)) {
        throw new DeployRefusal(`${name} ends its own transaction, so half of it could stay.`);
      }
      if ((sql.split("$$").length - 1) % 2 !== 0) throw new DeployRefusal(`${name} has an open $$.`);
    }
    return migrations.map(({ name }) => name);
  } catch (error) {
    if (error instanceof MigrationRefusedError) throw new DeployRefusal(`${error.message}.`);
    throw error;
  }
}

function secretsStep({ environment }: DeploymentInput): DeployStep {
  return {
    name: "secrets",
    check: async () => WORKER_NAMES.map((worker) => checkNames(worker, environment)),
    run: async () => {
      const lines: string[] = [];
      for (const worker of WORKER_NAMES) {
        const list = await runCommand("wrangler", ["secret", "list", ...target(worker, environment)]);
        const there = new Set([...list.matchAll(/"name":\s*"([^"]+)"/g)].map((m) => m[1]));
        const missing = WORKER_SECRETS[worker].filter((name) => !there.has(name));
        if (missing.length > 0) {
          const command = `npx wrangler secret put ${missing[0]} ${target(worker, environment).join(" ")}`;
          throw new DeployRefusal(`conflux-${worker} lacks ${missing.join(", ")}: ${command}`);
        }
        lines.push(`conflux-${worker}: all ${WORKER_SECRETS[worker].length} are there`);
      }
      return lines;
    },
  };
}

/** Compares what a Worker's code reads with what it is given. */
function checkNames(worker: WorkerName, environment: string): string {
  const file = readWranglerEnvironment(worker, environment);
  const secrets = WORKER_SECRETS[worker];
  const given = [...bindingNames(file), ...secrets, ...OPTIONAL_SECRETS[worker]].toSorted();
  const read = namesRead(worker, (file.vars["REGIONS"] ?? "").split(","));
  const missing = read.filter((name) => !given.includes(name));
  const unused = given.filter((name) => !read.includes(name));
  if (missing.length + unused.length > 0) {
    const parts = [
      missing.length > 0 ? `reads ${missing.join(", ")}, which nothing gives it` : "",
      unused.length > 0 ? `is given ${unused.join(", ")}, which it does not read` : "",
    ];
    throw new DeployRefusal(`conflux-${worker} ${parts.filter(Boolean).join(" and ")}.`);
  }
  return `conflux-${worker} needs ${secrets.join(", ")}`;
}

function infrastructureStep({ environment }: DeploymentInput): DeployStep {
  const context = ["-c", `environment=${environment}`, "--no-notices"];
  return {
    name: "infrastructure",
    check: async () => {
      await readSettings(environment);
      const output = await mkdtemp(join(tmpdir(), "conflux-synth-"));
      try {
        await runCommand("cdk", ["synth", "--quiet", "--output", output, ...context]);
        const manifest = JSON.parse(await readFile(join(output, "manifest.json"), "utf8")) as {
          artifacts: Record<string, { type: string }>;
        };
        return Object.entries(manifest.artifacts)
          .filter(([, { type }]) => type === "aws:cloudformation:stack")
          .map(([name]) => `${name} synthesises`);
      } finally {
        await rm(output, { recursive: true, force: true });
      }
    },
    run: async () => {
      await runCommand("cdk", ["diff", "--all", ...context], { show: true });
      await runCommand("cdk", ["deploy", "--all", "--require-approval", "broadening", ...context], {
        show: true,
      });
      return ["deployed"];
    },
  };
}

function workerStep(worker: WorkerName, { environment }: DeploymentInput): DeployStep {
  return {
    name: `conflux-${worker}`,
    check: async () => {
      const { gzipKib } = await measureWorker(worker, environment);
      const max = WORKER_GZIP_KIB_MAX[worker];
      if (gzipKib > max) throw new DeployRefusal(`conflux-${worker} has ${gzipKib} KiB, more than ${max}.`);
      return [`${gzipKib} KiB compressed, at most ${max}`];
    },
    run: async () => {
      await runCommand("wrangler", ["deploy", ...target(worker, environment)], { show: true });
      return ["deployed"];
    },
  };
}

/** Bundles a Worker as its deployment would, and measures it. */
export async function measureWorker(worker: WorkerName, environment: string): Promise<{ gzipKib: number }> {
  const output = await mkdtemp(join(tmpdir(), "conflux-worker-"));
  try {
    const args = ["deploy", "--dry-run", "--outdir", output, ...target(worker, environment)];
    const printed = await runCommand("wrangler", args);
    const size = /gzip:\s*([\d.]+) KiB/.exec(printed)?.[1];
    if (size === undefined) throw new DeployRefusal(`wrangler did not say how large conflux-${worker} is.`);
    return { gzipKib: Number(size) };
  } finally {
    await rm(output, { recursive: true, force: true });
  }
}

function smokeTestStep({ variables }: DeploymentInput): DeployStep {
  const urls = { edge: variables["CONFLUX_EDGE_URL"], admin: variables["CONFLUX_ADMIN_URL"] };
  return {
    name: "smoke test",
    check: async () => ["admin is ready, publishes its keys, and the edge refuses a stranger"],
    run: () => smokeTest({ edgeUrl: urls.edge ?? "", adminUrl: urls.admin ?? "" }),
  };
}

const target = (worker: WorkerName, environment: string): string[] => [
  "--config",
  wranglerFile(worker),
  `--env=${environment === "production" ? "" : environment}`,
];

async function readSettings(environment: string) {
  const text = await readFile(join(PROJECT_DIRECTORY, "cdk.json"), "utf8");
  const { context } = JSON.parse(text) as { context: Record<string, unknown> };
  try {
    return parseDeploymentSettings(context[settingsKey(environment)]);
  } catch (error) {
    throw new DeployRefusal(`${(error as Error).message}.`);
  }
}
