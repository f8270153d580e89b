/** From a plan's move to the edge of every region. */
import { startStack, type Stack } from "../testing/stack.ts";
import { adminOk, getRaw } from "../testing/stack-client.ts";
import { type Figure, figure, quantile } from "./figures.ts";

const REGIONS = ["us-east-1", "eu-central-1", "ap-southeast-2", "cn-chengdu", "cn-shanghai"];
const THREE = ["cn-chengdu", "ap-southeast-2", "cn-shanghai"];
const STAGES = [
  { name: "one", regions: ["ap-southeast-2"] },
  { name: "three", regions: THREE },
];
const WARMUP_PLANS = 5;
const PLACE = { tenant: "demo", app: "bench", env: "prod", name: "publish.json" };

export interface ServedPlan {
  /** Plans a run; each is advanced twice. */
  plans: number;
  runs: number;
}

/** Milliseconds of one advance, from the request and from its answer, until all regions serve as it says. */
interface Sample {
  fromRequestMs: number;
  fromAnswerMs: number;
}

/**
 * Three core nodes and five regions, all on this machine. Each plan goes through the seed's stages one after the other; a move is
 * complete when a fetch that names its index has been answered rightly in every region, those that keep the old version included.
 */
export async function benchPublishServed({ plans, runs }: ServedPlan): Promise<Figure[]> {
  const stack = await startStack({ env: { CONFLUX_NODES: "3", CONFLUX_REGIONS: REGIONS.join(",") } });
  try {
    const body = { ...PLACE, format: "json", content: textOf(1), release: true };
    const id = String((await adminOk(stack, "POST", "/mgt/configs", body)).json["id"]);
    let version = 1;
    const walkSome = async (count: number): Promise<Sample[]> => {
      const samples: Sample[] = [];
      for (let i = 0; i < count; i += 1) samples.push(...(await walk(stack, id, (version += 1))));
      return samples;
    };
    await walkSome(WARMUP_PLANS);
    const perRun: Sample[][] = [];
    for (let run = 0; run < runs; run += 1) perRun.push(await walkSome(plans));
    return [
      ...figures(perRun, "asked", ({ fromRequestMs }) => fromRequestMs),
      ...figures(perRun, "answered", ({ fromAnswerMs }) => fromAnswerMs),
    ];
  } finally {
    await stack.stop();
  }
}

function figures(perRun: readonly Sample[][], from: string, value: (sample: Sample) => number): Figure[] {
  return [0.5, 0.99].map((q) =>
    figure(
      {
        bench: "publish",
        case: `advance ${from} to served in every region`,
        system: "conflux",
        metric: `p${q * 100}_ms`,
        unit: "ms",
      },
      perRun.map((samples) => quantile(samples.map(value), q)),
    ),
  );
}

const textOf = (version: number): string => `{"version":${version}}`;

/** Takes a new version to everyone; a sample for each of the two advances. */
async function walk(stack: Stack, id: string, version: number): Promise<Sample[]> {
  const body = { content: textOf(version), strategy: { type: "staged", stages: STAGES } };
  const begun = await adminOk(stack, "POST", `/mgt/configs/${id}/publish`, body);
  const pid = String(begun.json["publish_id"]);
  return [await advance(stack, pid, version, THREE), await advance(stack, pid, version, REGIONS)];
}

async function advance(
  stack: Stack,
  pid: string,
  version: number,
  regions: readonly string[],
): Promise<Sample> {
  const askedMs = performance.now();
  const { json } = await adminOk(stack, "POST", `/mgt/publishes/${pid}/advance`);
  const answeredMs = performance.now();
  await Promise.all(
    REGIONS.map((region) =>
      check(stack, region, String(json["index"]), textOf(regions.includes(region) ? version : version - 1)),
    ),
  );
  const servedMs = performance.now();
  return { fromRequestMs: servedMs - askedMs, fromAnswerMs: servedMs - answeredMs };
}

async function check(stack: Stack, region: string, index: string, wanted: string): Promise<void> {
  const { port } = new URL(stack.dev.edge_url);
  const { tenant, app, env, name } = PLACE;
  const headers = { host: `${region}.localhost:${port}`, "x-conflux-min-index": index };
  const { status, text } = await getRaw(
    stack,
    `/api/v1/fetch/config/${tenant}/${app}/${env}/${name}`,
    headers,
  );
  if (text !== wanted) throw new Error(`${region} serves ${status} ${text}, not ${wanted}`);
}
