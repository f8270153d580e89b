import { z } from "zod";
import { parseFullName, NAME_RULE } from "../../domain/config/config-name.ts";
import { REPORT_STATES } from "../../domain/delivery/delivery-report.ts";
import { INDEX_TOKEN_CHARS_MAX } from "../../domain/delivery/index-token.ts";
import { NO_CONTROL_CHARACTERS, NO_CONTROL_MESSAGE } from "../access/auth-api.ts";
import { versionIdSchema } from "../config/fields.ts";
import { LONE_SURROGATE_MESSAGE } from "../problem/lone-surrogates.ts";
import { CLIENT_ID_CHARACTERS_MAX, REPORT_REASON_CHARACTERS_MAX, REPORTS_MAX } from "../limits.ts";

/** A database's integer. */
const VERSION_MAX = 2_147_483_647;
/** Text of several lines, as errors are. */
const LINES = /^[\P{Cc}\t\n\r]*$/u;
const isText = (text: string): boolean => text.isWellFormed();

/** What a client calls itself: stable over its restarts, or it counts as another. */
export const clientIdSchema = z
  .string()
  .min(1)
  .max(CLIENT_ID_CHARACTERS_MAX)
  .regex(NO_CONTROL_CHARACTERS, NO_CONTROL_MESSAGE)
  .refine(isText, LONE_SURROGATE_MESSAGE);

const reportSchema = z.strictObject({
  config: z
    .string()
    .refine((name) => parseFullName(name) !== null, `expected tenant/app/env/name, each ${NAME_RULE}`),
  version: versionIdSchema.max(VERSION_MAX),
  /** `X-Config-Index` of the fetch, or the index of the watch event; one that we did not sign is ignored. */
  index: z.string().min(1).max(INDEX_TOKEN_CHARS_MAX),
  state: z.enum(REPORT_STATES),
  reason: z
    .string()
    .max(REPORT_REASON_CHARACTERS_MAX)
    .regex(LINES, "must have no control characters but tabs and line breaks")
    .refine(isText, LONE_SURROGATE_MESSAGE)
    .optional(),
  at: z.iso.datetime({ offset: true }),
});

/** `POST /api/v1/reports` at the edge. */
export const reportsRequestSchema = z.strictObject({
  client_id: clientIdSchema,
  reports: z.array(reportSchema).min(1).max(REPORTS_MAX),
});
export type DeliveryReport = z.infer<typeof reportSchema>;
