import { mkdtempSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { App } from "aws-cdk-lib";
import { Template } from "aws-cdk-lib/assertions";
import { buildApp } from "./build-app.ts";

export interface Resource {
  Type: string;
  Properties?: Record<string, unknown>;
  DeletionPolicy?: string;
  UpdateReplacePolicy?: string;
  DependsOn?: string | string[];
}
export interface SynthesisedResource extends Resource {
  stack: string;
  id: string;
}
export interface Synthesis {
  /** Where the templates and the functions' bundles are. */
  directory: string;
  templates: Readonly<Record<string, Template>>;
  resources: readonly SynthesisedResource[];
}

/** Synthesises the whole app with cdk.json's context, cdk-nag included, as `cdk synth` does. Throws on a finding. */
export function synthesise(): Synthesis {
  const { context } = JSON.parse(readFileSync(new URL("../cdk.json", import.meta.url), "utf8")) as {
    context: Record<string, unknown>;
  };
  const app = new App({ context, outdir: mkdtempSync(join(tmpdir(), "conflux-cdk-")) });
  const stacks = buildApp(app);
  const { directory } = app.synth();
  const templates: Record<string, Template> = Object.fromEntries(
    Object.values(stacks).map((stack) => [stack.stackName, Template.fromStack(stack)]),
  );
  const resources = Object.entries(templates).flatMap(([stack, template]) =>
    Object.entries((template.toJSON() as { Resources: Record<string, Resource> }).Resources).map(
      ([id, resource]) => ({ stack, id, ...resource }),
    ),
  );
  return { directory, templates, resources };
}
