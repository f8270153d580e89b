import { z } from "zod";
import { LONE_SURROGATE_MESSAGE } from "../problem/lone-surrogates.ts";

/**
 * The password Lambda (`PASSWORD_HASH_URL`): Workers have no fast argon2id. `POST` with
 * `Authorization: Bearer <service token>`, an HS256 JWT with the audience below, signed with the service key.
 */
export const PASSWORD_SERVICE_AUDIENCE = "conflux-password";
/** Characters of a new password, after normalisation. There are no other rules about what it is made of. */
export const PASSWORD_CHARACTERS_MIN = 12;
/** Bytes in UTF-8, as typed and after normalisation. */
export const PASSWORD_BYTES_MAX = 512;
/** Characters of a stored hash (PHC string). */
export const PASSWORD_HASH_CHARACTERS_MAX = 256;
export const PASSWORD_BODY_BYTES_MAX = 4096;

const bytes = (text: string): number => new TextEncoder().encode(text).byteLength;
/** The same characters typed on another keyboard may arrive composed differently: NFC, here and in the hash. */
export const normalisePassword = (text: string): string => text.normalize("NFC");

/** What may be tried as a password. */
export const passwordSchema = z
  .string()
  .min(1)
  .max(PASSWORD_BYTES_MAX, { error: `at most ${PASSWORD_BYTES_MAX} bytes`, abort: true })
  .refine(
    (text) => Math.max(bytes(text), bytes(normalisePassword(text))) <= PASSWORD_BYTES_MAX,
    `at most ${PASSWORD_BYTES_MAX} bytes`,
  );

/** What may become a password: a character is a code point, so that no script counts double. */
export const newPasswordSchema = passwordSchema
  .refine((text) => text.isWellFormed(), LONE_SURROGATE_MESSAGE)
  .refine(
    (text) => Array.from(normalisePassword(text)).length >= PASSWORD_CHARACTERS_MIN,
    `at least ${PASSWORD_CHARACTERS_MIN} characters`,
  );

export const passwordRequestSchema = z.discriminatedUnion("op", [
  z.strictObject({
    op: z.literal("hash"),
    password: newPasswordSchema,
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
  /** True when the password is right and its hash was made with other parameters than today's. */
  needs_rehash: z.boolean(),
  /** Then: the hash that should take its place, made in the same call. */
  hash: z.string().nullable(),
});

export const passwordHashAnswerSchema = z.object({ hash: z.string().max(PASSWORD_HASH_CHARACTERS_MAX) });
