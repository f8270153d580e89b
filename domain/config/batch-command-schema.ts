import { z } from "zod";
import { content, head, id, rule, sha256, versionId, wholeNumber } from "../command/command-fields.ts";
import { BATCH_ITEMS_MAX } from "../limits.ts";

const newOrVersion = z.union([versionId, z.literal("new")]);
/** `batch_releases` as it comes in. */
export const batchCommand = z
  .object({
    ...head,
    kind: z.literal("batch_releases"),
    payload: z
      .object({
        items: z
          .array(
            z
              .object({
                config_id: id,
                expected_revision: wholeNumber.nullable(),
                content: content.nullable(),
                schema: z.string().nullable(),
                description: z.string(),
                releases: z.array(rule.extend({ version_id: newOrVersion })).nullable(),
                default_version_id: newOrVersion.nullable(),
                judged_by: sha256.optional(),
              })
              .strict(),
          )
          .max(BATCH_ITEMS_MAX),
        abort_plan: z.boolean(),
      })
      .strict(),
  })
  .strict();
