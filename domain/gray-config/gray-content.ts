import { z } from "zod";
import type { Namespace } from "../config/config-name.ts";
import { COLUMNS_BY_KIND } from "./gray-columns.ts";
import { GRAY_APP, type GrayKind, grayKindOf } from "./gray-kind.ts";

/** Columns by their names in seed 000; those that are not there are null. */
export type GrayColumns = Record<string, unknown>;

/** A version of a typed config: what its JSON holds. */
export interface GrayContent {
  columns: GrayColumns;
  /** The envelope of the access key's secret, as JSON; null when none was given. */
  sealedSecret: Record<string, unknown> | null;
}

/** Where the envelope stands in a data source's JSON. */
const SEALED_SECRET = "sealed_accesskey_secret";
/** The same as bytes. Quotes inside a JSON text are escaped, so they stand nowhere else in the JSON of columns. */
const SEALED_SECRET_MARK = Uint8Array.from(`"${SEALED_SECRET}":`, (char) => char.charCodeAt(0));

/** Names of the columns that a kind's JSON has, in the order of seed 000. */
function columnNames(kind: GrayKind): string[] {
  return Object.keys(COLUMNS_BY_KIND[kind].shape);
}

/** The columns without what is not one of the kind's, in their order; what is left out is null. */
export function wholeColumns(kind: GrayKind, given: GrayColumns): GrayColumns {
  return Object.fromEntries(columnNames(kind).map((name) => [name, given[name] ?? null]));
}

/** The natural key of a typed config, which is its name: `source`, or gateway code, API version and API name. */
export function grayName(kind: GrayKind, columns: GrayColumns): string {
  if (kind === "data-source") return String(columns["source"]);
  const { gateway_code, api_version, api_name } = columns as Record<string, string>;
  return `${gateway_code}.${api_version}.${api_name}`;
}

export function grayNamespace(tenant: string, kind: GrayKind): Namespace {
  return { tenant, app: GRAY_APP, env: kind };
}

/** What is served at the edge: the columns and, of a data source, the sealed secret; never a secret in the clear. */
export function grayContentText(kind: GrayKind, { columns, sealedSecret }: GrayContent): string {
  const whole = wholeColumns(kind, columns);
  return JSON.stringify(sealedSecret === null ? whole : { ...whole, [SEALED_SECRET]: sealedSecret });
}

/** Where the envelope begins in the bytes of a content that `grayContentText` wrote; null in one that has none. */
export function sealedSecretAt(namespace: Namespace, bytes: Uint8Array): number | null {
  if (grayKindOf(namespace) !== "data-source") return null;
  const [quote = 0] = SEALED_SECRET_MARK;
  for (let at = bytes.indexOf(quote); at >= 0; at = bytes.indexOf(quote, at + 1)) {
    if (SEALED_SECRET_MARK.every((byte, i) => bytes[at + i] === byte)) return at + SEALED_SECRET_MARK.length;
  }
  return null;
}

/** Reads what `grayContentText` wrote; null for anything else. */
export function readGrayContent(kind: GrayKind, text: string): GrayContent | null {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return null;
  }
  const parsed = storedSchema(kind).safeParse(value);
  if (!parsed.success) return null;
  const { [SEALED_SECRET]: sealed, ...columns } = parsed.data as GrayColumns;
  return { columns, sealedSecret: (sealed ?? null) as Record<string, unknown> | null };
}

function storedSchema(kind: GrayKind): z.ZodType {
  const columns = COLUMNS_BY_KIND[kind];
  if (kind !== "data-source") return columns;
  return columns.extend({ [SEALED_SECRET]: z.record(z.string(), z.unknown()).optional() });
}
