import { resolve } from "node:path";
import { oidcSettings } from "../contracts/access/session-api.ts";
import { isConfigName } from "../domain/config/config-name.ts";
import { StartRefusal } from "./refusal.ts";

/** What the environment says about a local stack, with every default filled in (api.md, "Running it"). */
export interface Settings {
  /** Absolute. */
  dataDir: string;
  /** Absolute: where bundles and compiled code are kept, which several stacks may share; null: in the data directory. */
  buildDir: string | null;
  edgePort: number;
  adminPort: number;
  lambdaPort: number;
  /** Node i listens on `corePort + i`. */
  corePort: number;
  /** Core nodes of the cluster. */
  nodes: number;
  /** The first is the default region. */
  regions: string[];
  /** A Postgres of the user's own; null: the embedded one. */
  databaseUrl: string | null;
  /** A DynamoDB and a KMS of the user's own; null: the stand-ins. */
  dynamoDbUrl: string | null;
  kmsUrl: string | null;
  /** Requests of one client that the edge takes in ten seconds; null: any number. */
  clientRate: number | null;
  /** Seconds between two runs of the publish stage's schedule; 0: plans are moved on by hints alone. */
  publishEveryS: number;
  /** Sign-in at a provider, as in the admin Worker's wrangler.toml: JSON, or empty. */
  oidcSettings: string;
  oidcClientSecret: string;
}

/** What the environment alone says: without CONFLUX_NODES the data directory decides (`decideNodes`). */
export type GivenSettings = Omit<Settings, "nodes"> & { nodes: number | null };

const PORT_MAX = 65_535;
const REGIONS_DEFAULT = "us-east-1,eu-central-1,ap-southeast-2,cn-chengdu,cn-shanghai";
const REGIONS_MAX = 32;
/** AWS's own schedule fires every minute; nobody waits so long in front of a screen. */
const PUBLISH_EVERY_S_DEFAULT = 1;
const PUBLISH_EVERY_S_MAX = 3_600;
/** An even number of voters stands no more failures than the odd one below it. */
const NODE_COUNTS = [1, 3, 5];
/** Peers listen on +100+i, so this is where the last port of a cluster may still lie. */
const CORE_PORT_SPAN = 200;

/** Reads the settings; throws a `StartRefusal` that names the variable and what it would accept. */
export function readSettings(env: Record<string, string | undefined>, cwd: string): GivenSettings {
  const port = (name: string, fallback: number, highest = PORT_MAX): number => {
    const text = env[name];
    if (text === undefined || text === "") return fallback;
    const value = Number(text);
    if (!Number.isInteger(value) || value < 1 || value > highest) {
      throw new StartRefusal(`${name} must be a port from 1 to ${highest}, not "${text}".`);
    }
    return value;
  };
  const nodes = env["CONFLUX_NODES"] ? Number(env["CONFLUX_NODES"]) : null;
  if (nodes !== null && !NODE_COUNTS.includes(nodes)) {
    throw new StartRefusal(`CONFLUX_NODES must be 1, 3 or 5, not "${env["CONFLUX_NODES"]}".`);
  }
  return {
    dataDir: resolve(cwd, env["CONFLUX_DATA_DIR"] || ".conflux"),
    buildDir: env["CONFLUX_BUILD_DIR"] ? resolve(cwd, env["CONFLUX_BUILD_DIR"]) : null,
    edgePort: port("CONFLUX_EDGE_PORT", 8787),
    adminPort: port("CONFLUX_ADMIN_PORT", 8788),
    lambdaPort: port("CONFLUX_LAMBDA_PORT", 8789),
    corePort: port("CONFLUX_CORE_PORT", 7400, PORT_MAX - CORE_PORT_SPAN),
    nodes,
    regions: readRegions(env["CONFLUX_REGIONS"] || REGIONS_DEFAULT),
    databaseUrl: readDatabaseUrl(env["DATABASE_URL"]),
    dynamoDbUrl: readEndpoint("DYNAMODB_ENDPOINT", env["DYNAMODB_ENDPOINT"]),
    kmsUrl: readEndpoint("KMS_ENDPOINT", env["KMS_ENDPOINT"]),
    clientRate: readClientRate(env["CONFLUX_CLIENT_RATE"]),
    publishEveryS: readPublishEvery(env["CONFLUX_PUBLISH_EVERY_S"]),
    oidcSettings: readOidcSettings(env["CONFLUX_OIDC_SETTINGS"]),
    oidcClientSecret: env["CONFLUX_OIDC_CLIENT_SECRET"] ?? "",
  };
}

function readClientRate(text: string | undefined): number | null {
  if (text === undefined || text === "") return null;
  const rate = Number(text);
  if (Number.isSafeInteger(rate) && rate > 0) return rate;
  throw new StartRefusal(
    `CONFLUX_CLIENT_RATE must be a whole number of requests in ten seconds, not "${text}".`,
  );
}

function readPublishEvery(text: string | undefined): number {
  if (text === undefined || text === "") return PUBLISH_EVERY_S_DEFAULT;
  const seconds = Number(text);
  if (Number.isInteger(seconds) && seconds >= 0 && seconds <= PUBLISH_EVERY_S_MAX) return seconds;
  throw new StartRefusal(
    `CONFLUX_PUBLISH_EVERY_S must be 0 (never) to ${PUBLISH_EVERY_S_MAX} seconds, not "${text}".`,
  );
}

function readOidcSettings(text: string | undefined): string {
  if (text === undefined || text === "") return "";
  const refusal = (why: string) => new StartRefusal(`CONFLUX_OIDC_SETTINGS (docs/security.md) ${why}.`);
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    throw refusal("is not JSON");
  }
  const parsed = oidcSettings.safeParse(json);
  if (parsed.success) return text;
  const [issue] = parsed.error.issues;
  throw refusal(`is wrong at /${issue?.path.join("/") ?? ""}: ${issue?.message ?? ""}`);
}

function readRegions(text: string): string[] {
  const regions = text.split(",").map((r) => r.trim());
  const bad = regions.find((r) => !/^[a-z0-9]+(-[a-z0-9]+)*$/.test(r) || !isConfigName(r));
  if (bad !== undefined) {
    throw new StartRefusal(
      `CONFLUX_REGIONS must be names like us-east-1 separated by commas, and "${bad}" is not one.`,
    );
  }
  if (new Set(regions).size !== regions.length || regions.length > REGIONS_MAX) {
    throw new StartRefusal(`CONFLUX_REGIONS must name at most ${REGIONS_MAX} regions, each once.`);
  }
  return regions;
}

function readDatabaseUrl(text: string | undefined): string | null {
  if (text === undefined || text === "") return null;
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url === null || !["postgres:", "postgresql:"].includes(url.protocol) || url.hostname === "") {
    throw new StartRefusal("DATABASE_URL must look like postgres://user:password@host:5432/database.");
  }
  return text;
}

function readEndpoint(name: string, text: string | undefined): string | null {
  if (text === undefined || text === "") return null;
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url === null || !["http:", "https:"].includes(url.protocol)) {
    throw new StartRefusal(`${name} must look like http://localhost:8000.`);
  }
  return text;
}
