import { isConfigPlace, listCursor } from "../list-cursor.ts";
import { z } from "zod";
import {
  accessKeySecret,
  apiMetaColumns,
  apiRecordColumns,
  dataSourceColumns,
} from "../../domain/gray-config/gray-columns.ts";
import { GRAY_KINDS } from "../../domain/gray-config/gray-kind.ts";
import { GRAY_SECRET_CHARACTERS_MAX } from "../../domain/limits.ts";
import {
  descriptionSchema,
  etagSchema,
  indexSchema,
  listQuery,
  nameSchema,
  timeSchema,
} from "../config/fields.ts";
import { GRAY_VERSION_ID_CHARACTERS_MAX } from "../limits.ts";
import {
  bakeMinutes,
  dryRunClients,
  lastBakes,
  stageInput,
  stagesInput,
  strategySchema,
} from "../publish/publish-schemas.ts";

const tenant = nameSchema
  .optional()
  .meta({ description: "Left out: the only tenant in which the caller holds a role" });
/** Write-only: the empty text takes a secret away; null, which answers show, changes nothing. */
const secretInput = accessKeySecret.nullable().optional().meta({
  description:
    "The access key's secret: sealed before it is stored, and never answered. Left out or null: as before. Empty: none",
  writeOnly: true,
  maxLength: GRAY_SECRET_CHARACTERS_MAX,
});
const withSecret = dataSourceColumns.extend({ loghub_accesskey_secret: secretInput });

const NATURAL_KEY = "Columns left out stay as they are, and null empties one. The natural key cannot change.";
const change = (id: string) => ({ id, description: NATURAL_KEY });

export const createDataSource = withSecret.extend({ tenant }).meta({ id: "DataSourceCreate" });
export const changeDataSource = withSecret.partial().meta(change("DataSourceChange"));
export const createApiRecord = apiRecordColumns.extend({ tenant }).meta({ id: "ApiRecordCreate" });
export const changeApiRecord = apiRecordColumns.partial().meta(change("ApiRecordChange"));
export const createApiMeta = apiMetaColumns.extend({ tenant }).meta({ id: "ApiMetaCreate" });
export const changeApiMeta = apiMetaColumns.partial().meta(change("ApiMetaChange"));

const versionId = z.string().max(GRAY_VERSION_ID_CHARACTERS_MAX).meta({
  description: "Unique name of the version; the draft keeps it over its edits",
});
/** What every answer has beside the columns. */
const told = {
  id: z.string().meta({ description: "Id of the config, the same for all its versions" }),
  config_type: z.enum(GRAY_KINDS),
  tenant: z.string(),
  name: z.string().meta({ description: "What the config is called at the edge" }),
  version_id: versionId,
  status: z.string().meta({ description: "draft, stage1 to stageN, paused, full, deprecated or aborted" }),
  effective_gray_groups: z
    .array(z.string())
    .meta({ description: "Regions whose clients may get the version now" }),
  gmt_create: timeSchema.meta({ description: "When the version was made" }),
  gmt_modified: timeSchema.meta({ description: "When its columns were last written" }),
};
const secretView = {
  loghub_accesskey_secret: z.null().meta({ description: "Never answered" }),
  loghub_accesskey_secret_set: z.boolean().meta({ description: "Whether there is a secret" }),
};
/** Columns as answers have them: all of them, empty ones as null. */
const dataSource = dataSourceColumns.extend({ ...secretView, ...told });
const apiRecord = apiRecordColumns.extend(told);
const apiMeta = apiMetaColumns.extend(told);

const written = { etag: etagSchema, index: indexSchema };
const published = {
  ...written,
  publish_id: z.string().meta({ description: "The publish plan, below /mgt/publishes" }),
  stage: z.string().nullable().meta({ description: "Name of the stage that bakes; null when none does" }),
  due_at: timeSchema.nullable().meta({ description: "When that stage has baked; null: by hand alone" }),
  warnings: z.array(z.string()),
};
export const dataSourceViews = {
  version: dataSource.meta({ id: "DataSourceVersion" }),
  latest: dataSource.extend({ etag: etagSchema }).meta({ id: "DataSource" }),
  written: dataSource.extend(written).meta({ id: "DataSourceWritten" }),
  published: dataSource.extend(published).meta({ id: "DataSourcePublished" }),
};
export const apiRecordViews = {
  version: apiRecord.meta({ id: "ApiRecordVersion" }),
  latest: apiRecord.extend({ etag: etagSchema }).meta({ id: "ApiRecord" }),
  written: apiRecord.extend(written).meta({ id: "ApiRecordWritten" }),
  published: apiRecord.extend(published).meta({ id: "ApiRecordPublished" }),
};
export const apiMetaViews = {
  version: apiMeta.meta({ id: "ApiMetaVersion" }),
  latest: apiMeta.extend({ etag: etagSchema }).meta({ id: "ApiMeta" }),
  written: apiMeta.extend(written).meta({ id: "ApiMetaWritten" }),
  published: apiMeta.extend(published).meta({ id: "ApiMetaPublished" }),
};

export const grayListQuery = listQuery.extend({
  cursor: listCursor(isConfigPlace),
  tenant,
  name_prefix: z.string().min(1).max(128).optional().meta({ description: "Beginning of the natural key" }),
});

/** A stage needs no name here: it is called after its place. */
const stage = stageInput.partial({ name: true }).meta({ id: "GrayStageInput" });

export const grayPublishRequest = z
  .strictObject({
    version_id: versionId.optional().meta({
      description: "Which version; the latest one when left out. An old one again is a rollback by stages",
    }),
    description: descriptionSchema.default(""),
    stages: stagesInput(stage).optional().meta({
      description:
        "One after the other, then everyone. No two have the same name; one without is called stage1 to stageN after its place. Left out: ap-southeast-2; cn-chengdu, ap-southeast-2 and cn-shanghai",
    }),
    strategy: strategySchema.optional().meta({ description: "Instead of stages: as for any other config" }),
    make_default_after_mins: bakeMinutes.optional().meta({
      description: "How long the last stage bakes before everyone gets the version; by hand when left out",
    }),
    clients: dryRunClients,
  })
  .refine((body) => body.stages === undefined || body.strategy === undefined, {
    message: "give stages or a strategy, not both",
    path: ["strategy"],
  })
  .refine((body) => body.make_default_after_mins === undefined || body.strategy?.type !== "all", {
    message: "all waits for nothing",
    path: ["make_default_after_mins"],
  })
  .refine(
    ({ make_default_after_mins, stages, strategy }) =>
      make_default_after_mins === undefined ||
      !(strategy === undefined ? stages?.at(-1)?.bake_minutes !== undefined : lastBakes(strategy)),
    { message: "the last stage has bake_minutes already", path: ["make_default_after_mins"] },
  )
  .meta({ id: "GrayPublishRequest" });
