import { TIME_CHARACTERS_MAX } from "../limits.ts";
import { z } from "zod";
import { NO_CONTROL_CHARACTERS, NO_CONTROL_MESSAGE } from "../access/auth-api.ts";
import { etagSchema, indexSchema, nameSchema, timeSchema } from "../config/fields.ts";
import { CHANGE_CLASSES, WEEK_DAYS } from "../../domain/change-request/change-rules.ts";
import {
  APPROVAL_POLICIES_MAX,
  APPROVALS_REQUIRED_MAX,
  FREEZE_NAME_CHARACTERS_MAX,
  FREEZE_WINDOWS_MAX,
  WEEKLY_FREEZE_MINUTES_MAX,
} from "../../domain/limits.ts";

const namespaces = z.string().min(1).max(512).meta({
  description: "A namespace tenant/app/env, or a pattern: * is one segment, ** the rest",
  example: "demo/*/prod",
});
const approvalPolicy = z
  .strictObject({
    namespaces,
    approvals_required: z.int().min(1).max(APPROVALS_REQUIRED_MAX),
    applies_to: z
      .array(z.enum(CHANGE_CLASSES))
      .min(1)
      .max(CHANGE_CLASSES.length)
      .default(["releases", "publish", "delete"]),
  })
  .meta({ id: "ApprovalPolicy" });

const name = z
  .string()
  .min(1)
  .max(FREEZE_NAME_CHARACTERS_MAX)
  .regex(NO_CONTROL_CHARACTERS, NO_CONTROL_MESSAGE);
const MOMENT = "a time in UTC, with a Z, from 1970 on: 2026-03-04T12:00:00Z";
const moment = z.iso
  .datetime({ error: MOMENT, abort: true })
  .max(TIME_CHARACTERS_MAX)
  .refine((time) => Date.parse(time) >= 0, MOMENT)
  .meta({ description: "RFC 3339, UTC" });
const absolute = z
  .strictObject({ type: z.literal("absolute"), name, namespaces, from: moment, until: moment })
  .meta({ id: "AbsoluteFreeze" });
const weekly = z
  .strictObject({
    type: z.literal("weekly"),
    name,
    namespaces,
    day: z.enum(WEEK_DAYS),
    time: z
      .string()
      .max("HH:MM".length)
      .regex(/^([01]\d|2[0-3]):[0-5]\d$/, "HH:MM in UTC")
      .meta({ description: "When it begins, UTC", example: "16:00" }),
    duration_minutes: z.int().min(1).max(WEEKLY_FREEZE_MINUTES_MAX),
  })
  .meta({ id: "WeeklyFreeze" });
const freezeWindow = z.discriminatedUnion("type", [absolute, weekly], { error: "absolute or weekly" });

export const changeRulesQuery = z.strictObject({ tenant: nameSchema });
export const changeRulesRequest = z
  .strictObject({
    approvals: z.array(approvalPolicy).max(APPROVAL_POLICIES_MAX),
    freezes: z.array(freezeWindow).max(FREEZE_WINDOWS_MAX),
  })
  .meta({ id: "ChangeRulesRequest" });
const head = z.object({
  tenant: z.string(),
  approvals: z.array(approvalPolicy),
  freezes: z.array(freezeWindow),
  updated_at: timeSchema.nullable(),
  etag: etagSchema,
});
export const changeRulesView = head.meta({ id: "ChangeRules" });
export const changeRulesWritten = head.extend({ index: indexSchema }).meta({ id: "ChangeRulesWritten" });
