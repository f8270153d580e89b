import { z } from "zod";
import { format, head, retention, rule, sha256, versionId, wholeNumber } from "../command/command-fields.ts";
import { BUNDLE_VERSIONS_MAX } from "../limits.ts";

const bundleContent = z.object({ attachment: wholeNumber.nullable(), sha256 }).strict();
/** `apply_bundle` as it comes in. */
export const bundleCommand = z
  .object({
    ...head,
    kind: z.literal("apply_bundle"),
    payload: z
      .object({
        bundle_id: z.string(),
        configs: z.array(
          z
            .object({
              app: z.string(),
              env: z.string(),
              name: z.string(),
              format,
              content: bundleContent,
              schema: z.string().nullable(),
              description: z.string(),
              retention: retention.nullable(),
              versions: z
                .array(z.object({ name: z.string(), format, content: bundleContent }).strict())
                .max(BUNDLE_VERSIONS_MAX),
              releases: z
                .array(
                  rule
                    .omit({ version_id: true })
                    .extend({ version: z.union([z.string(), versionId]) })
                    .strict(),
                )
                .nullable(),
            })
            .strict(),
        ),
        prune: z.boolean(),
        adopt: z.boolean(),
        force: z.boolean(),
        abort_plan: z.boolean(),
        if_plan: sha256.nullable(),
        max_configs: wholeNumber.optional(),
      })
      .strict(),
  })
  .strict();
