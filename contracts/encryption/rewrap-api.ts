import { z } from "zod";
import { KMS_KEY_ID } from "../../domain/encryption/envelope-text.ts";
import { indexSchema, nameSchema } from "../config/fields.ts";
import { idempotencyInput, operationHead } from "../core/cluster-api.ts";
import type { Position } from "../core/core-api.ts";

/** A version of a config, or a content of a change request. */
const CURSOR =
  /^(?:[A-Za-z0-9._~-]+\/[A-Za-z0-9._~-]+\/[A-Za-z0-9._~-]+@\d{1,16}|change-requests@\d{1,16}\.\d{1,5})$/;

/** Which configs are meant: all of a tenant, of an application, of an environment, or one. */
const scope = {
  tenant: nameSchema,
  app: nameSchema.optional(),
  env: nameSchema.optional(),
  name: nameSchema.optional(),
};
const cursor = z
  .string()
  .max(512)
  .regex(CURSOR, "expected the resume_cursor of an answer")
  .nullish()
  .meta({ description: "resume_cursor of the answer before; left out or null at the beginning" });

/** `POST /mgt/encryption/rewrap`. */
export const rewrapRequest = z
  .strictObject({ ...scope, cursor })
  .refine((body) => body.env === undefined || body.app !== undefined, {
    message: "an environment is of an application: give app too",
    path: ["env"],
  })
  .refine((body) => body.name === undefined || body.env !== undefined, {
    message: "a config is of an environment: give env too",
    path: ["name"],
  })
  .meta({ id: "RewrapRequest" });

export const rewrapAnswer = z
  .object({
    rewrapped: z.int().meta({
      description:
        "Data keys that were wrapped anew: of versions, and of contents that open change requests hold",
    }),
    resume_cursor: z.string().nullable().meta({ description: "Go on with it; null when all are done" }),
    index: indexSchema,
  })
  .meta({ id: "RewrapAnswer" });

/** `POST /v1/rewrap-keys` of the core. `keys`: which KMS key each application has. */
export const coreRewrapInput = z
  .object({
    ...scope,
    cursor: cursor.transform((text) => text ?? null),
    keys: z.record(z.string(), z.string().regex(KMS_KEY_ID)),
    head: operationHead,
    idempotency: idempotencyInput.optional(),
  })
  .strict();
export type CoreRewrapInput = z.infer<typeof coreRewrapInput>;

export interface CoreRewrapAnswer extends Position {
  replayed: boolean;
  rewrapped: number;
  next_cursor: string | null;
}

/** Applications of a tenant whose keys one request may name. */
export const REWRAP_BODY_BYTES_MAX = 4 * 1024 * 1024;
