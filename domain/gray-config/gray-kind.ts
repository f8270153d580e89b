import type { Namespace } from "../config/config-name.ts";

/** The application that holds a tenant's typed configs; its environments are the kinds (api.md). */
export const GRAY_APP = "gray";
/** The tables of seed 000 (`data_source_config` and so on); `config_type` names them so. */
export const GRAY_KINDS = ["data-source", "api-record", "api-meta"] as const;
export type GrayKind = (typeof GRAY_KINDS)[number];

/** The kind of the typed configs in a namespace; null where there are none. */
export function grayKindOf({ app, env }: Pick<Namespace, "app" | "env">): GrayKind | null {
  return app === GRAY_APP ? (GRAY_KINDS.find((kind) => kind === env) ?? null) : null;
}
