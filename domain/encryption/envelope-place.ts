import type { ConfigIdentity } from "./envelope-text.ts";

/** Which configs' data keys are meant: a tenant's, one application's, one environment's, or one config's. */
export interface RewrapScope {
  tenant: string;
  app?: string | undefined;
  env?: string | undefined;
  name?: string | undefined;
}

/** Where an envelope stands: it is a version's content, is a part of one, or is what an open change request holds. */
export type EnvelopeOwner =
  | { of: "version" | "part"; config_id: string; version_id: number }
  | { of: "change_request"; change_request_id: string };

export interface EnvelopePlace {
  owner: EnvelopeOwner;
  /** Of the content that the envelope is, or stands in. */
  sha256: string;
  /** Where in that content it begins. */
  at: number;
  /** What it was sealed for. */
  identity: ConfigIdentity;
}

/** One look of a walk through the state. */
export interface EnvelopeLook {
  /** Where to go on behind it. */
  cursor: string;
  /** Null: there is no envelope here. */
  place: EnvelopePlace | null;
  /** What the look cost: contents in bytes, rules that the feed will tell again, change requests read. */
  bytes?: number;
  rules?: number;
  requests?: number;
}

/** Whether a config is meant. */
export function isMeant(
  scope: Omit<RewrapScope, "tenant">,
  { app, env, name }: Pick<ConfigIdentity, "app" | "env" | "name">,
): boolean {
  return (
    (scope.app ?? app) === app &&
    (scope.env ?? env) === env &&
    (scope.name === undefined || scope.name === name)
  );
}
