import { stackDecryptor } from "../testing/stack-keys.ts";
import { decryptEnvelope } from "../../sdk/decrypt-envelope.ts";
import { type Answer, admin, adminOk, sendRaw } from "../testing/stack-client.ts";
import { type Stack, startStack } from "../testing/stack.ts";
import type { ModelAnswer, ModelWorld } from "./model-world.ts";
import { type ModelReport, runSeed } from "./run-model.ts";

/** All that the stack has: a dry run tells of each. */
const REGIONS = ["us-east-1", "cn-chengdu"];

/** Who ask for changes and approve them beside the admin. */
const USERS = ["ada", "bob"];
const PASSWORD = "correct horse battery";

/** Runs sequences from so many seeds on a stack of its own, and says how they went. False: one of them failed. */
export async function fuzzModel(options: {
  seed: number;
  seeds: number;
  steps: number;
  say: (line: string) => void;
}): Promise<boolean> {
  const stack = await startStack({ env: { CONFLUX_REGIONS: REGIONS.join(",") } });
  const report: ModelReport = { steps: 0, answers: {} };
  try {
    const world = await stackWorld(stack);
    for (let seed = options.seed; seed < options.seed + options.seeds; seed += 1) {
      const onFailure = (what: string): void => options.say(`seed ${seed} fails and is shortened: ${what}`);
      await runSeed(world, { seed, stepsMax: options.steps, report, onFailure });
      options.say(`seed ${seed}: ${report.steps} steps so far`);
    }
    console.log(JSON.stringify({ first_seed: options.seed, seeds: options.seeds, ...report }, null, 2));
    return true;
  } catch (error) {
    console.log(error instanceof Error ? `${error.message}\n${String(error.cause)}` : String(error));
    return false;
  } finally {
    await stack.stop();
  }
}

/** The whole stack: requests over HTTP to the admin Worker, and to the edge Worker as clients of two regions. */
async function stackWorld(stack: Stack): Promise<ModelWorld> {
  const tokens = [stack.dev.admin_token, ...(await makeUsers(stack))];
  const { port } = new URL(stack.dev.edge_url);
  return {
    tenant: stack.dev.tenant,
    regions: REGIONS,
    users: ["admin", ...USERS],
    async send({ method, path, user = 0, body, headers }) {
      const authorization = `Bearer ${tokens[user] ?? ""}`;
      return toAnswer(await admin(stack, method, path, body, { authorization, ...headers }));
    },
    async open({ envelope, config }) {
      const content = await decryptEnvelope({
        body: envelope,
        config,
        decryptDataKey: stackDecryptor(stack),
      });
      return new TextDecoder().decode(content);
    },
    async fetch({ config, region, labels, minIndex }) {
      const headers: Record<string, string> = { host: `${region}.localhost:${port}` };
      for (const [name, value] of Object.entries(labels)) headers[`x-client-label-${name}`] = value;
      if (minIndex !== null) headers["x-conflux-min-index"] = minIndex;
      return toAnswer(
        await sendRaw(stack, { method: "GET", path: `/api/v1/fetch/config/${config}`, headers }),
      );
    },
  };
}

/** Their tokens. They may do what the admin may, with the configs of the tenant. */
async function makeUsers(stack: Stack): Promise<string[]> {
  const { tenant } = stack.dev;
  const role = await adminOk(stack, "POST", "/roles", { tenant, name: "changers" });
  const roleId = String(role.json["id"]);
  for (const action of ["read", "write", "list", "publish", "approve", "delete"]) {
    const permission = { action, resource_pattern: `${tenant}/**` };
    await adminOk(stack, "POST", `/roles/${roleId}/permissions`, permission);
  }
  const tokens: string[] = [];
  for (const username of USERS) {
    await adminOk(stack, "POST", "/users", { tenant, username, password: PASSWORD, role_ids: [roleId] });
    const login = await adminOk(stack, "POST", "/auth/login", { username, password: PASSWORD });
    tokens.push(String(login.json["access_token"]));
  }
  return tokens;
}

function toAnswer({ status, headers, text }: Answer): ModelAnswer {
  return { status, header: (name) => headers.get(name), text };
}
