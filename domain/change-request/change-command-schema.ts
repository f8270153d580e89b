import { z } from "zod";
import { head, id, sha256, wholeNumber } from "../command/command-fields.ts";
import { type ChangeOperation, CHANGE_OPERATION_KINDS } from "../command/command.ts";
import { CHANGE_CLASSES, WEEK_DAYS } from "./change-rules.ts";

const comment = z.string().max(4096);
const changeRequestInput = {
  config_id: id.nullable(),
  config_revision: wholeNumber.nullable(),
  // The payload is parsed like that of a command of its kind (parseOperation).
  operation: z
    .object({ kind: z.enum(CHANGE_OPERATION_KINDS), payload: z.record(z.string(), z.unknown()) })
    .strict()
    .transform((operation) => operation as unknown as ChangeOperation),
  description: z.string().max(4096),
};
const freezeHead = { name: z.string().max(1024), namespaces: z.string().max(512) };
const freezeWindow = z.discriminatedUnion("type", [
  z
    .object({ type: z.literal("absolute"), ...freezeHead, from_ms: wholeNumber, until_ms: wholeNumber })
    .strict(),
  z
    .object({
      type: z.literal("weekly"),
      ...freezeHead,
      day: z.enum(WEEK_DAYS),
      minute_of_day: wholeNumber,
      duration_minutes: wholeNumber,
    })
    .strict(),
]);
const approvalPolicy = z
  .object({
    namespaces: z.string().max(512),
    approvals_required: wholeNumber,
    applies_to: z.array(z.enum(CHANGE_CLASSES)).max(CHANGE_CLASSES.length),
  })
  .strict();

/** The shapes of the commands about change requests and the rules of changes. */
export const changeCommands = [
  z
    .object({
      ...head,
      kind: z.literal("set_change_rules"),
      payload: z.object({ approvals: z.array(approvalPolicy), freezes: z.array(freezeWindow) }).strict(),
    })
    .strict(),
  z
    .object({ ...head, kind: z.literal("request_change"), payload: z.object(changeRequestInput).strict() })
    .strict(),
  z
    .object({
      ...head,
      kind: z.literal("edit_change"),
      payload: z.object({ ...changeRequestInput, change_request_id: id }).strict(),
    })
    .strict(),
  z
    .object({
      ...head,
      kind: z.literal("approve_change"),
      payload: z.object({ change_request_id: id, digest: sha256, comment }).strict(),
    })
    .strict(),
  z
    .object({
      ...head,
      kind: z.enum(["reject_change", "withdraw_change"]),
      payload: z.object({ change_request_id: id, comment }).strict(),
    })
    .strict(),
  z
    .object({
      ...head,
      kind: z.literal("execute_change"),
      payload: z.object({ change_request_id: id, digest: sha256 }).strict(),
    })
    .strict(),
] as const;
