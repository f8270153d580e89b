import type { Node } from "constructs";
import { z } from "zod";

/** Core nodes of a cluster: one Fargate service, one file system and one host name each. */
export const CORE_NODES = 3;
/** The HTTP surface: clients, and nodes that forward to the leader. */
export const CORE_PORT = 7401;
/** Raft between the nodes, by mutual TLS. */
export const CORE_PEER_PORT = 7402;
/** Owner of a node's files and of its process: the Dockerfile makes this user. */
export const CORE_UID = "10001";
/** Discovery names inside the VPC: `core-1.conflux.internal`. */
export const DISCOVERY_DOMAIN = "conflux.internal";
export const DATABASE_NAME = "conflux";
/** Where the deployment looks for its own constructs' parts (Dockerfile, lambdas/). */
export const PROJECT_DIRECTORY = new URL("..", import.meta.url).pathname;

const settingsSchema = z.strictObject({
  region: z.string().regex(/^[a-z]{2}(-[a-z]+)+-\d$/),
  /** One a core node. Given here, so that synthesis asks no account. */
  availabilityZones: z.array(z.string()).length(CORE_NODES),
  clusterId: z.string().regex(/^[a-z][a-z0-9]{0,31}$/),
  /** The nodes are reached at `node-1.<coreDomain>` and so on, under a wildcard certificate. */
  coreDomain: z.string().regex(/^[a-z0-9-]+(\.[a-z0-9-]+)+$/),
  coreCertificateArn: z.string().startsWith("arn:aws:acm:"),
  /** PEM of the authority that signs the client certificates of the Workers. */
  clientCaFile: z.string().min(1),
  alarmEmail: z.email(),
  /** Cloudflare's tunnel client, with a version. */
  tunnelImage: z.string().regex(/:[\w.-]+$/),
});

/** What differs from one deployment to another: the `conflux` object of cdk.json's context. */
export type DeploymentSettings = z.infer<typeof settingsSchema>;

/** The key of an environment's settings in cdk.json's context; each environment is an AWS account of its own. */
export const settingsKey = (environment: string): string =>
  environment === "production" ? "conflux" : `conflux-${environment}`;

/** Reads the settings from the app's context (`-c environment=NAME`; production without). Throws an `Error` that names every setting that makes no sense. */
export function readDeploymentSettings(node: Node): DeploymentSettings {
  return parseDeploymentSettings(
    node.tryGetContext(
      settingsKey((node.tryGetContext("environment") as string | undefined) ?? "production"),
    ),
  );
}

/** As `readDeploymentSettings`, from the object itself. */
export function parseDeploymentSettings(value: unknown): DeploymentSettings {
  const parsed = settingsSchema.safeParse(value);
  if (parsed.success) return parsed.data;
  const wrong = parsed.error.issues.map((issue) => `${issue.path.join(".")}: ${issue.message}`);
  throw new Error(`the settings in cdk.json are not usable: ${wrong.join("; ")}`);
}

/** Settings that still have the value of the example; a real deployment is refused while there is one. */
export function exampleSettings(settings: DeploymentSettings): string[] {
  const examples: Partial<Record<keyof DeploymentSettings, RegExp>> = {
    coreDomain: /example\.com$/,
    coreCertificateArn: /:111111111111:/,
    clientCaFile: /\.example\.pem$/,
    alarmEmail: /@example\.com$/,
  };
  return Object.entries(examples)
    .filter(([name, example]) => example.test(String(settings[name as keyof DeploymentSettings])))
    .map(([name]) => name);
}
