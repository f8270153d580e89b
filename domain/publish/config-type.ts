import type { Namespace } from "../config/config-name.ts";

/** The app that holds typed configs; their kind is the env (seed 000). */
const TYPED_APP = "gray";
/** What a publish is of: a plain config or one of the typed kinds. */
export const CONFIG_TYPES = ["config", "data-source", "api-record", "api-meta"] as const;
export type ConfigType = (typeof CONFIG_TYPES)[number];

/** The type of a config in a namespace. */
export function configTypeOf({ app, env }: Pick<Namespace, "app" | "env">): ConfigType {
  const kind = app === TYPED_APP ? CONFIG_TYPES.find((type) => type === env) : undefined;
  return kind ?? "config";
}

/** Where all configs of a type are; null for plain ones, which may be anywhere. */
export function placeOfConfigType(type: ConfigType): { app: string; env: string } | null {
  return type === "config" ? null : { app: TYPED_APP, env: type };
}

/** What names one version of a config to people: its number; of a typed config a name that no other version has. */
export function versionNameOf(type: string, configId: string, version: number): number | string {
  return type === "config" ? version : `${configId}-v${version}`;
}

/** The version that a number or such a name means, and the config where the name says it; null for other texts. */
export function readVersionName(text: string): { configId: string | null; version: number } | null {
  const [, configId = null, digits] = /^(?:(cfg-.{1,120})-v)?([1-9]\d{0,8})$/.exec(text) ?? [];
  return digits === undefined ? null : { configId, version: Number(digits) };
}
