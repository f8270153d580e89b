import { type App, Tags, Validations } from "aws-cdk-lib";
import { AwsSolutionsChecks } from "cdk-nag";
import { CoreStack } from "./core-stack.ts";
import { DataStack } from "./data-stack.ts";
import { readDeploymentSettings } from "./deployment-settings.ts";
import { FunctionsStack } from "./functions-stack.ts";
import { NetworkStack } from "./network-stack.ts";
import { ObservabilityStack } from "./observability-stack.ts";

/** The stacks, from the one that changes least to the one that changes most; each uses only those before it. */
export interface ConfluxStacks {
  network: NetworkStack;
  data: DataStack;
  core: CoreStack;
  functions: FunctionsStack;
  observability: ObservabilityStack;
}

/** Puts every stack into `app`, with the checks that fail its synthesis. Throws when the context is not usable. */
export function buildApp(app: App): ConfluxStacks {
  const settings = readDeploymentSettings(app.node);
  const env = { region: settings.region };
  const network = new NetworkStack(app, "conflux-network", { env, settings });
  const data = new DataStack(app, "conflux-data", { env, settings, network, terminationProtection: true });
  const core = new CoreStack(app, "conflux-core", { env, settings, network, data });
  const functions = new FunctionsStack(app, "conflux-functions", { env, network, data });
  const observability = new ObservabilityStack(app, "conflux-observability", {
    env,
    settings,
    data,
    core,
    functions,
  });
  Tags.of(app).add("system", "conflux");
  Validations.of(app).addPlugins(new AwsSolutionsChecks(app));
  return { network, data, core, functions, observability };
}
