import { z } from "zod";
import { head, id, keyId, sha256, versionId } from "../command/command-fields.ts";
import { REWRAP_VERSIONS_MAX } from "../limits.ts";
import { WRAPPED_KEY_CHARACTERS_MAX } from "./envelope-text.ts";

const wrappedKey = z.base64().min(1).max(WRAPPED_KEY_CHARACTERS_MAX);
const hashes = { from_sha256: sha256, to_sha256: sha256 };
const to = { key_id: keyId, wrapped_key: wrappedKey };
const version = { config_id: id, version_id: versionId };

/** `rewrap_keys` as it comes in. */
export const rewrapKeysCommand = z
  .object({
    ...head,
    kind: z.literal("rewrap_keys"),
    payload: z
      .object({
        resource: z.string().max(1024),
        items: z.array(z.object({ ...version, ...hashes, ...to }).strict()).max(REWRAP_VERSIONS_MAX),
        parts: z
          .array(z.object({ ...version, from_wrapped_key: wrappedKey, ...to }).strict())
          .max(REWRAP_VERSIONS_MAX)
          .optional(),
        held: z
          .array(z.object({ change_request_id: id, ...hashes, ...to }).strict())
          .max(REWRAP_VERSIONS_MAX)
          .optional(),
        next_cursor: z.string().max(1024).nullable(),
      })
      .strict(),
  })
  .strict();
