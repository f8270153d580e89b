import { z } from "zod";
import { REPORT_STATES } from "../../domain/delivery/delivery-report.ts";
import { NO_CONTROL_CHARACTERS, NO_CONTROL_MESSAGE } from "../access/auth-api.ts";
import { listOf, namespaceSchema } from "../config/config-schemas.ts";
import {
  indexSchema,
  listQuery,
  nameSchema,
  readQuery,
  timeSchema,
  versionIdSchema,
} from "../config/fields.ts";
import { isConfigPlace, listCursor } from "../list-cursor.ts";
import { DELIVERY_CLIENT_KEPT_MS, NOT_FETCHED_DAYS_MAX, PROPAGATION_KEPT_DAYS } from "../limits.ts";
import { wholeNumber } from "../whole-number.ts";
import { clientIdSchema } from "./report-api.ts";

const SEEN_HOURS_MAX = DELIVERY_CLIENT_KEPT_MS / (60 * 60 * 1000);
const SEEN_HOURS_DEFAULT = 24;
const PROPAGATION_DAYS_DEFAULT = 7;
const NOT_FETCHED_DAYS_DEFAULT = 90;

const seenWithinHours = wholeNumber(1, SEEN_HOURS_MAX)
  .default(SEEN_HOURS_DEFAULT)
  .meta({ description: "Clients that have not been heard of for longer are left out" });

export const deliveryQuery = readQuery.extend({
  seen_within_hours: seenWithinHours,
  propagation_days: wholeNumber(1, PROPAGATION_KEPT_DAYS)
    .default(PROPAGATION_DAYS_DEFAULT)
    .meta({ description: "Days of which the histogram tells, today included" }),
});

export const deliveryClientsQuery = listQuery.extend({
  version: wholeNumber(1, 2_147_483_647).optional(),
  state: z.enum(REPORT_STATES).optional(),
  region: z.string().min(1).max(64).regex(NO_CONTROL_CHARACTERS, NO_CONTROL_MESSAGE).optional(),
  cursor: clientIdSchema.optional(),
  seen_within_hours: seenWithinHours,
});

export const deadConfigsQuery = listQuery.extend({
  cursor: listCursor(isConfigPlace),
  tenant: nameSchema,
  app: nameSchema.optional(),
  env: nameSchema.optional(),
  not_fetched_days: wholeNumber(1, NOT_FETCHED_DAYS_MAX).default(NOT_FETCHED_DAYS_DEFAULT),
});

const share = z.number().min(0).max(1).nullable();
const clientsByVersion = z
  .object({
    version: versionIdSchema,
    region: z.string(),
    applied: z.int(),
    rejected: z.int(),
    error: z.int(),
    clients: z.int(),
  })
  .meta({ id: "ClientsByVersion", description: "Clients by what they last reported" });
const propagation = z
  .object({
    samples: z.int(),
    p50_ms: z.int().nullable(),
    p99_ms: z.int().nullable(),
    buckets: z.array(
      z.object({
        le_ms: z.int().nullable().meta({ description: "null: however long" }),
        count: z.int().meta({ description: "Samples within le_ms, those of smaller buckets included" }),
      }),
    ),
  })
  .meta({ id: "Propagation", description: "From the log entry of a change to the client that applied it" });

export const deliveryView = z
  .object({
    config_id: z.string(),
    namespace: namespaceSchema,
    name: z.string(),
    clients: z.int().meta({ description: "Clients heard of within seen_within_hours" }),
    default_version: versionIdSchema.nullable().meta({ description: "What the default rule gives" }),
    adoption_rate: share.meta({
      description: "Share of those clients that run default_version; null without clients or default rule",
    }),
    clients_by_version: z.array(clientsByVersion),
    last_fetched_at: timeSchema.nullable(),
    last_fetched: z.array(z.object({ region: z.string(), last_fetched_at: timeSchema })),
    propagation,
  })
  .meta({ id: "Delivery" });

const deliveryClient = z
  .object({
    client_id: z.string(),
    region: z.string().meta({ description: "Where its newest report arrived" }),
    version: versionIdSchema.meta({ description: "Of its newest report" }),
    state: z.enum(REPORT_STATES),
    reason: z.string().nullable(),
    running_version: versionIdSchema.nullable().meta({ description: "The version it last applied" }),
    index: indexSchema.nullable(),
    reported_at: timeSchema.meta({ description: "By its own clock, not later than it arrived" }),
    seen_at: timeSchema.meta({ description: "When the edge last heard of it on this config" }),
  })
  .meta({ id: "DeliveryClient" });
export const deliveryClientList = listOf(deliveryClient);

const deadConfig = z
  .object({
    config_id: z.string(),
    namespace: namespaceSchema,
    name: z.string(),
    created_at: timeSchema,
    last_fetched_at: timeSchema.nullable().meta({ description: "null: not within the last 400 days" }),
  })
  .meta({ id: "DeadConfig" });
export const deadConfigList = listOf(deadConfig);
