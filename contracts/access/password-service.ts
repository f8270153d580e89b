import { z } from "zod";

/**
 * The password Lambda (`PASSWORD_HASH_URL`): Workers have no fast argon2id. `POST` with
 * `Authorization: Bearer <service token>`, an HS256 JWT with the audience below, signed with the service key.
 */
export const PASSWORD_SERVICE_AUDIENCE = "conflux-password";
export const PASSWORD_CHARACTERS_MIN = 8;
export const PASSWORD_BYTES_MAX = 512;
/** Characters of a stored hash (PHC string). */
export const PASSWORD_HASH_CHARACTERS_MAX = 256;
export const PASSWORD_BODY_BYTES_MAX = 4096;

const bytes = (text: string): number => new TextEncoder().encode(text).byteLength;
/** What may be tried as a password. New ones also need `PASSWORD_CHARACTERS_MIN`. */
export const passwordSchema = z
  .string()
  .min(1)
  .max(PASSWORD_BYTES_MAX, { error: `at most ${PASSWORD_BYTES_MAX} bytes`, abort: true })
  .refine((text) => bytes(text) <= PASSWORD_BYTES_MAX, `at most ${PASSWORD_BYTES_MAX} bytes`);

export const passwordRequestSchema = z.discriminatedUnion("op", [
  z.strictObject({
    op: z.literal("hash"),
    password: passwordSchema.min(PASSWORD_CHARACTERS_MIN),
  }),
  z.strictObject({
    op: z.literal("verify"),
    password: passwordSchema,
    /** Null when there is no such user: the same work is done and the answer is `valid: false`. */
    hash: z.string().max(PASSWORD_HASH_CHARACTERS_MAX).nullable(),
  }),
]);

export const passwordVerifyAnswerSchema = z.object({
  valid: z.boolean(),
  /** True when the hash was made with older parameters and should be made anew. */
  outdated: z.boolean(),
});

export const passwordHashAnswerSchema = z.object({ hash: z.string().max(PASSWORD_HASH_CHARACTERS_MAX) });
