import { z } from "zod";
import { isConfigName, NAME_CHARACTERS_MAX } from "../config/config-name.ts";
import {
  GRAY_CODE_CHARACTERS_MAX,
  GRAY_FETCH_INTERVAL_MS_MAX,
  GRAY_REGIONS_MAX,
  GRAY_SECRET_CHARACTERS_MAX,
  GRAY_SECTION_CHARACTERS_MAX,
  GRAY_SECTION_DEPTH_MAX,
  GRAY_TEXT_CHARACTERS_MAX,
} from "../limits.ts";
import type { GrayKind } from "./gray-kind.ts";

const ONE_LINE = /^\P{Cc}*$/u;
const ONE_LINE_MESSAGE = "must be one line without control characters";
const SEVERAL_LINES = /^[\P{Cc}\t\n\r]*$/u;
const WORD = /^[^\s\p{Cc}]*$/u;
const WORD_MESSAGE = "must have no white space";
const HOST = /^(https?:\/\/)?[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?(:\d{1,5})?(\/[^\s\p{Cc}]*)?$/u;
const ARN = /^(acs|arn):[^\s\p{Cc}]+$/u;
const KEY_PART_MESSAGE =
  "letters, digits and . _ ~ -, beginning with a letter or digit, without '..' and not ending with '.'";

const upTo = (max: number) =>
  z
    .string()
    .max(max, { error: `at most ${max} characters`, abort: true })
    .meta({ maxLength: max });
const optional = <T extends z.ZodType>(schema: T, description: string) =>
  schema.nullable().optional().meta({ description });

/** A short text whose values the source document leaves open. */
const code = (description: string) =>
  optional(upTo(GRAY_CODE_CHARACTERS_MAX).regex(ONE_LINE, ONE_LINE_MESSAGE), description);
const word = (max: number, description: string) => optional(upTo(max).regex(WORD, WORD_MESSAGE), description);
/** A part of the natural key, which is the config's name at the edge. */
const keyPart = (description: string) =>
  upTo(NAME_CHARACTERS_MAX)
    .refine((text) => isConfigName(text) && !text.endsWith("."), KEY_PART_MESSAGE)
    .meta({ description: `${description}. Part of the config's name: ${KEY_PART_MESSAGE}` });

/** Rules of one kind of record, as a JSON object or as the text of one. */
const section = (description: string) =>
  z
    .unknown()
    .superRefine((value, context) => {
      const wrong = checkSection(value);
      if (wrong !== null) context.addIssue({ code: "custom", message: wrong });
    })
    .optional()
    .meta({
      description: `${description}. A JSON object, or the text of one; kept as it came`,
      type: ["object", "string", "null"],
      maxLength: GRAY_SECTION_CHARACTERS_MAX,
    });

/** What is wrong with a section; null for nothing. */
function checkSection(value: unknown): string | null {
  if (value === null || value === undefined) return null;
  const text = typeof value === "string" ? value : JSON.stringify(value);
  if (text.length > GRAY_SECTION_CHARACTERS_MAX) {
    return `at most ${GRAY_SECTION_CHARACTERS_MAX} characters as JSON`;
  }
  let parsed: unknown = value;
  if (typeof value === "string") {
    try {
      parsed = JSON.parse(value) as unknown;
    } catch {
      return "a JSON object, or the text of one: this text is no JSON";
    }
  }
  if (typeof parsed !== "object" || parsed === null || Array.isArray(parsed)) {
    return "a JSON object, or the text of one";
  }
  return depthOf(parsed) > GRAY_SECTION_DEPTH_MAX ? `nested at most ${GRAY_SECTION_DEPTH_MAX} deep` : null;
}

/** How deep a value is nested, a flat object being 1; counts no further than one past what is allowed. */
function depthOf(value: unknown, depth = 0): number {
  if (typeof value !== "object" || value === null || depth > GRAY_SECTION_DEPTH_MAX) return depth;
  let deepest = depth + 1;
  for (const inner of Object.values(value)) deepest = Math.max(deepest, depthOf(inner, depth + 1));
  return deepest;
}

const gatewayType = code("The kind of gateway that the calls went through; open, as the gateways name them");
const dm = code("The source document does not say what it stands for; kept and served as it is");
const gatewayCode = keyPart("The code under which the gateway knows the product or service of the API");
const apiVersion = keyPart("The version of the API, such as 2014-05-26");
const apiName = keyPart("The name of the API's operation, such as DescribeInstances");

/** Where the access log of a gateway is read from, and how. */
export const dataSourceColumns = z.strictObject({
  source: keyPart("The name of the data source"),
  source_group: code("The group that the data source belongs to; sources of a group are consumed alike"),
  gateway_type: gatewayType,
  dm,
  loghub_endpoint: optional(
    upTo(GRAY_TEXT_CHARACTERS_MAX).regex(HOST, "a host, with a port or as an http(s) URL"),
    "Host or URL of the log service",
  ),
  loghub_project: word(GRAY_CODE_CHARACTERS_MAX, "The log service's project"),
  loghub_stream: word(GRAY_CODE_CHARACTERS_MAX, "The stream (log store) of the project"),
  loghub_accesskey_id: word(GRAY_CODE_CHARACTERS_MAX, "Which access key reads the stream; no secret"),
  loghub_assume_role_arn: optional(
    upTo(GRAY_TEXT_CHARACTERS_MAX).regex(ARN, "an ARN: acs:... or arn:..."),
    "The role that the reader assumes before it reads",
  ),
  loghub_cursor: word(
    GRAY_TEXT_CHARACTERS_MAX,
    "Where reading begins: begin, end, a time, or a cursor of the log service",
  ),
  consume_region: optional(
    z.union(
      [
        upTo(GRAY_TEXT_CHARACTERS_MAX).regex(ONE_LINE, ONE_LINE_MESSAGE),
        z.array(z.string().min(1).max(64).regex(WORD, WORD_MESSAGE)).max(GRAY_REGIONS_MAX),
      ],
      { error: "regions as a list of texts, or as one text" },
    ),
    "The regions whose consumers read this source: a list, or one text of them; kept as it came",
  ),
  data_fetch_interval_millis: optional(
    z.int().min(1).max(GRAY_FETCH_INTERVAL_MS_MAX),
    "Milliseconds between two reads, up to a day",
  ),
});

/** How a call in a gateway's log becomes a record of the audit trail. */
export const apiRecordColumns = z.strictObject({
  gateway_type: gatewayType,
  gateway_code: gatewayCode,
  api_version: apiVersion,
  api_name: apiName,
  loghub_stream: word(GRAY_CODE_CHARACTERS_MAX, "The stream in whose entries the API's calls are"),
  basic_config: section("What every record of the API has: names, source, times"),
  event_config: section("How the record's event is made: its name, type and category"),
  user_identity_config: section("Where the caller's identity is taken from"),
  request_config: section("Which parameters of the request are recorded, and how they are masked"),
  response_config: section("Which elements of the response are recorded"),
  filter_config: section("Which calls are recorded and which are left out"),
  reference_resource_config: section("Which resources a record refers to, and where their names stand"),
  type: code("The type of the record rule; open"),
});

/** What is known of an API, beside how its calls are recorded. */
export const apiMetaColumns = z.strictObject({
  api_name: apiName,
  product: code("The product that the API belongs to"),
  gateway_type: gatewayType,
  dm,
  gateway_code: gatewayCode,
  api_version: apiVersion,
  actiontrail_code: code("The code under which the audit trail lists the product"),
  operation_type: code("What the API does to its resources, such as Read or Write; open"),
  description: optional(
    upTo(GRAY_TEXT_CHARACTERS_MAX).regex(
      SEVERAL_LINES,
      "must have no control characters but tabs and breaks",
    ),
    "For people",
  ),
  visibility: code("Who may see the API, such as Public or Private; open"),
  isolation_type: code("How tenants or regions are kept apart; open"),
  service_type: code("The type of the service, such as regional or central; open"),
  response_body_log: optional(
    z.union([z.boolean(), z.literal(0), z.literal(1)], { error: "true, false, 1 or 0" }),
    "Whether response bodies are recorded; kept as it came",
  ),
  invoke_type: code("How the API is called, such as sync or async; open"),
  resource_spec: optional(
    upTo(GRAY_TEXT_CHARACTERS_MAX).regex(ONE_LINE, ONE_LINE_MESSAGE),
    "How the API's resources are named, such as instance/{InstanceId}",
  ),
  effective_flag: code("Whether the API's calls are recorded at all; open, and no business of Conflux"),
  audit_status: code("How far the API's own review has come; open, and no business of Conflux"),
});

export const COLUMNS_BY_KIND = {
  "data-source": dataSourceColumns,
  "api-record": apiRecordColumns,
  "api-meta": apiMetaColumns,
} as const satisfies Record<GrayKind, z.ZodType>;

/** The secret of the access key (`loghub_accesskey_secret`): comes in, and never goes out in the clear. */
export const accessKeySecret = upTo(GRAY_SECRET_CHARACTERS_MAX).regex(WORD, WORD_MESSAGE);
