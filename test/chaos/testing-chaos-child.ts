/** A load process of the chaos run: its clients live here, and it answers what is asked of them. */
import { Agent } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { createPrng } from "../../consensus/sim/prng.ts";
import { ChaosClient } from "./chaos-client.ts";
import type { LoadAnswer, LoadCommand, LoadPlan } from "./chaos-plan.ts";
import { backoffBy, type ClientWorld } from "./client-world.ts";
import type { EdgeTarget } from "./fetch-at-edge.ts";

/** Clients that come in a second at the start; later they come back as they like. */
const STARTS_PER_S = 100;
const VIOLATIONS_KEPT_MAX = 20;

const counts: Record<string, number> = {};
const violations: string[] = [];
let cancelUntilMs = 0;
let isRestoring = false;
const target: EdgeTarget = { agent: new Agent({ keepAlive: true }), port: 0, token: "" };
let clients: ChaosClient[] = [];

function violated(what: string): void {
  counts["violations"] = (counts["violations"] ?? 0) + 1;
  if (violations.length < VIOLATIONS_KEPT_MAX) violations.push(what);
}

async function start(plan: LoadPlan): Promise<void> {
  Object.assign(target, { port: plan.edgePort, token: plan.token });
  const chance = createPrng(plan.seed);
  const world: ClientWorld = {
    target,
    chance,
    pollMs: plan.pollMs,
    nowMs: () => performance.now(),
    isCancelling: () => performance.now() < cancelUntilMs,
    mayEnd: (token) => isRestoring || token !== target.token,
    backoffMs: backoffBy(chance),
    count: (what, by = 1) => (counts[what] = (counts[what] ?? 0) + by),
    longest: (what, ms) => (counts[what] = Math.max(counts[what] ?? 0, Math.round(ms))),
    violated,
  };
  clients = plan.clients.map((client) => new ChaosClient(client, world));
  await Promise.all(
    clients.map(async (client, i) => {
      await sleep((i * 1000) / STARTS_PER_S);
      await client.start();
    }),
  );
}

async function carryOut(command: LoadCommand): Promise<string[]> {
  if (command.type === "start") await start(command.plan);
  else if (command.type === "cut") for (const client of clients) client.cut(command.awayMs);
  else if (command.type === "restoring") isRestoring = true;
  else if (command.type === "token") {
    target.token = command.token;
    isRestoring = false;
  } else if (command.type === "cancel") cancelUntilMs = performance.now() + command.forMs;
  else if (command.type === "behind") return clients.flatMap(({ judge }) => judge.behind(command.history));
  else if (command.type === "judge") {
    for (const { judge } of clients) for (const found of judge.judge(command.history)) violated(found);
  }
  return [];
}

async function answerTo(command: LoadCommand): Promise<void> {
  try {
    const answer: LoadAnswer = { behind: await carryOut(command), counts, violations };
    // Nobody may be listening any more.
    process.send?.(answer, undefined, undefined, () => undefined);
  } catch (error) {
    console.error(error);
    process.exit(1);
  }
}

process.on("message", (command: LoadCommand) => void answerTo(command));
process.once("disconnect", () => process.exit(0));
