import { z } from "zod";
import { etagSchema, nameSchema, timeSchema } from "../config/fields.ts";
import { KMS_KEY_ID } from "../../domain/encryption/envelope-text.ts";

/** Characters of a KMS key's ARN, id or alias. */
const KMS_KEY_ID_CHARACTERS_MAX = 2048;
const kmsKeyId = z
  .string()
  .min(1)
  .max(KMS_KEY_ID_CHARACTERS_MAX)
  .regex(KMS_KEY_ID, "the id, alias or ARN of a KMS key")
  .nullable();

export const createApplicationRequest = z
  .strictObject({
    tenant: nameSchema,
    name: nameSchema,
    /** The key that wraps the data keys of the application's encrypted configs. */
    kms_key_id: kmsKeyId.default(null),
  })
  .meta({ id: "CreateApplicationRequest" });

export const changeApplicationRequest = z
  .strictObject({ kms_key_id: kmsKeyId.optional() })
  .meta({ id: "ChangeApplicationRequest" });

export const applicationView = z
  .object({
    id: z.string(),
    tenant: z.string(),
    name: z.string(),
    kms_key_id: z.string().nullable(),
    created_at: timeSchema,
    etag: etagSchema,
  })
  .meta({ id: "Application" });
export type ApplicationView = z.infer<typeof applicationView>;
