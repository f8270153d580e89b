import { z } from "zod";
import { head, id, sha256, versionId } from "../command/command-fields.ts";
import { PRUNE_VERSIONS_MAX } from "../limits.ts";

/** `prune_versions` as it comes in. */
export const pruneCommand = z
  .object({
    ...head,
    kind: z.literal("prune_versions"),
    payload: z
      .object({
        config_id: id,
        versions: z
          .array(z.object({ version_id: versionId, sha256 }).strict())
          .min(1)
          .max(PRUNE_VERSIONS_MAX),
        archive: z.string().max(512),
        form: z.literal(2).optional(),
      })
      .strict(),
  })
  .strict();
