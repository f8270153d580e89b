import { z } from "zod";
import { CONFIG_TYPES, readVersionName } from "../../domain/publish/config-type.ts";
import { ALL_REGIONS } from "../../domain/publish/gray-groups.ts";
import { limitQuery } from "../access/auth-api.ts";
import { listOf, namespaceSchema } from "../config/config-schemas.ts";
import { idParams, indexSchema, nameSchema, timeSchema, versionIdSchema } from "../config/fields.ts";

/** Three numbers and what parts them. */
const CURSOR_CHARACTERS_MAX = 48;
const VERSION_NAME_CHARACTERS_MAX = 140;

const page = {
  version_id: z
    .string()
    .max(VERSION_NAME_CHARACTERS_MAX)
    .refine(
      (text) => readVersionName(text) !== null,
      "a version's number, or the version_id of a typed config",
    )
    .optional()
    .meta({ description: "Moves of this version alone" }),
  publish_id: z.string().min(1).max(128).optional().meta({ description: "Moves of this plan alone" }),
  limit: limitQuery,
  cursor: z.string().min(1).max(CURSOR_CHARACTERS_MAX).optional(),
};

/** Query of `GET /mgt/configs/{id}/publish-history`. */
export const configHistoryQuery = z.strictObject(page);

/** Query of `GET /gray/publish-history`. */
export const publishHistoryQuery = z.strictObject({
  tenant: nameSchema.optional().meta({ description: "Left out: the one in which the caller holds a role" }),
  app: nameSchema.optional(),
  env: nameSchema.optional(),
  config_type: z
    .enum(CONFIG_TYPES)
    .optional()
    .meta({ description: "`config`: plain configs; the others are the kinds of typed configs" }),
  config_id: idParams.shape.id.optional(),
  ...page,
});

const versionName = z.union([versionIdSchema, z.string()]);
const publishMove = z
  .object({
    id: z.string().meta({ description: "The same however often the history is made anew" }),
    publish_id: z.string(),
    config_id: z.string(),
    namespace: namespaceSchema,
    name: z.string(),
    config_type: z.string(),
    version_id: versionName.meta({
      description: "Its number; of a typed config the version_id that is its own",
    }),
    previous_version_id: versionName
      .nullable()
      .meta({ description: "What the default rule named before the plan, in the same words" }),
    from_status: z.string().nullable().meta({ description: "null: the plan began" }),
    status: z.string().meta({ description: "stage1 to stageN, paused, full, aborted or deprecated" }),
    stage: z.int().nullable().meta({
      description: "The stage that the plan is in or ended in, from 1; 0 without stages; null: unknown",
    }),
    gray_groups: z.array(z.string()).meta({
      description: `Regions in which the version is given out from this move on; "${ALL_REGIONS}" for all of them`,
    }),
    cause: z.string().meta({ description: "by_hand, bake_over, gate_failed, superseded, ..." }),
    reason: z.string().nullable().meta({
      description: "What a gate said that stopped the plan, or why a person let it go on without its gates",
    }),
    operator: z.string().meta({ description: "Name of who did it, or did what it is the consequence of" }),
    operator_type: z.enum(["user", "token", "system"]),
    operator_id: z.string(),
    index: indexSchema,
    gmt_create: timeSchema.meta({ description: "The log's time of the move" }),
    gmt_modified: timeSchema.meta({ description: "The same: a move is never changed" }),
  })
  .meta({ id: "PublishMove" });
export const publishHistoryList = listOf(publishMove);
