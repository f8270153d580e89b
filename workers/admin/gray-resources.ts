import type { z } from "zod";
import {
  apiMetaViews,
  apiRecordViews,
  changeApiMeta,
  changeApiRecord,
  changeDataSource,
  createApiMeta,
  createApiRecord,
  createDataSource,
  dataSourceViews,
} from "../../contracts/gray/gray-api.ts";
import { type GrayKind, grayKindOf } from "../../domain/gray-config/gray-kind.ts";
import type { ConfigFilter } from "./find-config.ts";

type Columns = z.ZodType<Record<string, unknown>>;

/** A kind of typed config as the API has it: the three are made, edited and published alike. */
export interface GrayResource {
  kind: GrayKind;
  path: string;
  word: string;
  create: Columns;
  change: Columns;
  views: Readonly<Record<"version" | "latest" | "written" | "published", Columns>>;
}

const BY_KIND: Readonly<Record<GrayKind, GrayResource>> = {
  "data-source": {
    kind: "data-source",
    path: "/api/v1/gray/data-sources",
    word: "data source",
    create: createDataSource,
    change: changeDataSource,
    views: dataSourceViews,
  },
  "api-record": {
    kind: "api-record",
    path: "/api/v1/gray/api-records",
    word: "API record",
    create: createApiRecord,
    change: changeApiRecord,
    views: apiRecordViews,
  },
  "api-meta": {
    kind: "api-meta",
    path: "/api/v1/gray/api-metas",
    word: "API meta",
    create: createApiMeta,
    change: changeApiMeta,
    views: apiMetaViews,
  },
};
export const GRAY_RESOURCES: readonly GrayResource[] = Object.values(BY_KIND);

/** The routes of the kind that a namespace holds; null for a namespace of other configs. */
export function grayResourceOf(namespace: Parameters<typeof grayKindOf>[0]): GrayResource | null {
  const kind = grayKindOf(namespace);
  return kind === null ? null : BY_KIND[kind];
}

/** Whether a config is of the resource's kind. */
export function isOf({ kind }: GrayResource): ConfigFilter {
  return ({ namespace }) => grayKindOf(namespace) === kind;
}

/** The resource's name, for permissions. */
export function grayAccess({ kind }: GrayResource, name = "{name}"): string {
  return `{tenant}/gray/${kind}/${name}`;
}
