import type { Namespace } from "../config/config-name.ts";

/** The application that holds a tenant's typed configs; its environments are the kinds (api.md). */
export const GRAY_APP = "gray";
export const GRAY_KINDS = ["data-source", "api-record", "api-meta"] as const;
export type GrayKind = (typeof GRAY_KINDS)[number];

/** The tables of seed 000: how `config_type` names a kind. */
export const CONFIG_TYPE_BY_KIND = {
  "data-source": "data_source_config",
  "api-record": "api_record_config",
  "api-meta": "api_meta_config",
} as const satisfies Record<GrayKind, string>;

/** The kind of the typed configs in a namespace; null where there are none. */
export function grayKindOf({ app, env }: Pick<Namespace, "app" | "env">): GrayKind | null {
  return app === GRAY_APP ? (GRAY_KINDS.find((kind) => kind === env) ?? null) : null;
}
