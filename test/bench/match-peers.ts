/**
 * The peers of `match`: evaluators of feature flags that run in the process that asks, each with its fastest way to answer
 * which variant of one flag a client gets. Rule i gives variant `v{i}` to clients whose `tenant` is `t{i}` and whose `plan`
 * is `pro`; the first rule that holds decides.
 */
import { EventEmitter } from "node:events";
import { GrowthBookClient } from "@growthbook/growthbook";
import { FlagdCore } from "@openfeature/flagd-core";
import { Unleash, type UnleashConfig } from "unleash-client";

export interface Client {
  tenant: string;
  plan: string;
}
/** The variant that a client gets, by name. Clients are made before anything is timed. */
export interface Matcher {
  system: string;
  resolve: (client: number) => string | undefined;
}

const FLAG = "limits";
const positions = (rules: number): number[] => Array.from({ length: rules }, (_, i) => i);

/** Rules with conditions that force a value; asked as a server asks, with the client's attributes in the call. */
export async function growthbook(rules: number, clients: readonly Client[]): Promise<Matcher> {
  const features = {
    [FLAG]: {
      defaultValue: "none",
      rules: positions(rules).map((i) => ({
        condition: { tenant: `t${i}`, plan: "pro" },
        force: `v${i}`,
      })),
    },
  };
  const client = new GrowthBookClient().initSync({ payload: { features } });
  const contexts = clients.map(({ tenant, plan }) => ({ attributes: { tenant, plan } }));
  return {
    system: "growthbook",
    resolve: (i) => client.getFeatureValue<string>(FLAG, "none", contexts[i] ?? { attributes: {} }),
  };
}

type Repository = NonNullable<UnleashConfig["repository"]>;
type Feature = NonNullable<ReturnType<Repository["getToggle"]>>;

/** One flag in memory, so that nothing is fetched and nothing is polled. */
function repositoryOf(feature: Feature): Repository {
  const repository: Pick<
    Repository,
    "getToggle" | "getToggles" | "getTogglesWithSegmentData" | "getSegment"
  > = {
    getToggle: () => feature,
    getToggles: () => [feature],
    getTogglesWithSegmentData: () => [],
    getSegment: () => undefined,
  };
  const emitter = new EventEmitter();
  return Object.assign(emitter, {
    ...repository,
    stop: () => undefined,
    start: async () => void emitter.emit("ready"),
  });
}

/** Strategies with constraints, each with a variant of its own; without metrics, which would count each answer. */
export async function unleash(rules: number, clients: readonly Client[]): Promise<Matcher> {
  const constraint = (contextName: string, value: string) => ({
    contextName,
    operator: "IN",
    inverted: false,
    values: [value],
  });
  const feature = {
    name: FLAG,
    type: "release",
    enabled: true,
    project: "default",
    stale: false,
    impressionData: false,
    variants: [],
    strategies: positions(rules).map((i) => ({
      name: "default",
      parameters: {},
      constraints: [constraint("tenant", `t${i}`), constraint("plan", "pro")],
      variants: [
        { name: `v${i}`, weight: 1000, stickiness: "default", payload: { type: "string", value: `v${i}` } },
      ],
    })),
  } as unknown as Feature;
  const client = new Unleash({
    appName: "bench",
    url: "http://127.0.0.1:9/",
    disableMetrics: true,
    disableAutoStart: true,
    skipInstanceCountWarning: true,
    repository: repositoryOf(feature),
  });
  const ready = new Promise((resolve) => client.once("ready", resolve));
  await client.start();
  await ready;
  const contexts = clients.map(({ tenant, plan }) => ({ tenant, plan }));
  return { system: "unleash-client", resolve: (i) => client.getVariant(FLAG, contexts[i]).name };
}

/** One flat `if` of JsonLogic, which its engine compiles to a function (the mode that needs code generation). */
export async function flagd(rules: number, clients: readonly Client[]): Promise<Matcher> {
  const is = (name: string, value: string) => ({ "===": [{ var: name }, value] });
  const branches = positions(rules).flatMap((i) => [
    { and: [is("tenant", `t${i}`), is("plan", "pro")] },
    `v${i}`,
  ]);
  const variants = Object.fromEntries(["none", ...positions(rules).map((i) => `v${i}`)].map((v) => [v, v]));
  const flag = {
    state: "ENABLED",
    variants,
    defaultVariant: "none",
    targeting: { if: [...branches, "none"] },
  };
  const quiet = { error: () => {}, warn: () => {}, info: () => {}, debug: () => {} };
  const core = new FlagdCore(undefined, quiet);
  core.setConfigurations(JSON.stringify({ flags: { [FLAG]: flag } }));
  const contexts = clients.map(({ tenant, plan }) => ({ tenant, plan }));
  return {
    system: "flagd-core",
    resolve: (i) => core.resolveStringEvaluation(FLAG, "none", contexts[i] ?? {}, quiet).value,
  };
}
