/**
 * Passwords as argon2id (RFC 9106) in the PHC string format:
 * `$argon2id$v=19$m=<KiB>,t=<passes>,p=<lanes>$<salt>$<hash>`, base64 without padding.
 */
import { argon2, randomBytes, timingSafeEqual } from "node:crypto";
import { promisify } from "node:util";
import { normalisePassword } from "../../contracts/access/password-service.ts";

/** OWASP's password storage cheat sheet, argon2id: 19 MiB, two passes, one lane. The one place they stand. */
export const ARGON2ID_PARAMETERS = { memoryKib: 19_456, passes: 2, lanes: 1 } as const;
const SALT_BYTES = 16;
const HASH_BYTES = 32;
/** A stored hash that would cost more than this is not computed: it would be a way to exhaust the function. */
const MEMORY_KIB_MAX = 256 * 1024;
const PASSES_MAX = 10;
const LANES_MAX = 4;

const PHC =
  /^\$argon2id\$v=19\$m=(\d{1,7}),t=(\d{1,2}),p=(\d{1,2})\$([A-Za-z0-9+/]{11,86})\$([A-Za-z0-9+/]{16,86})$/;

interface Parameters {
  memoryKib: number;
  passes: number;
  lanes: number;
}
export interface PhcHash extends Parameters {
  salt: Buffer;
  hash: Buffer;
}

/** Reads a PHC string; null when it is none, is of another algorithm or costs more than the limits. */
export function decodePhc(text: string): PhcHash | null {
  const [, m, t, p, salt, hash] = PHC.exec(text) ?? [];
  if (salt === undefined || hash === undefined) return null;
  const [memoryKib, passes, lanes] = [Number(m), Number(t), Number(p)];
  if (memoryKib < 8 * lanes || memoryKib > MEMORY_KIB_MAX) return null;
  if (passes < 1 || passes > PASSES_MAX || lanes < 1 || lanes > LANES_MAX) return null;
  return { memoryKib, passes, lanes, salt: Buffer.from(salt, "base64"), hash: Buffer.from(hash, "base64") };
}

export function encodePhc({ memoryKib, passes, lanes, salt, hash }: PhcHash): string {
  return `$argon2id$v=19$m=${memoryKib},t=${passes},p=${lanes}$${base64(salt)}$${base64(hash)}`;
}

/** A new hash of `password` under a random salt. */
export async function hashPassword(password: string): Promise<string> {
  const salt = randomBytes(SALT_BYTES);
  const hash = await derive(password, salt, HASH_BYTES, ARGON2ID_PARAMETERS);
  return encodePhc({ ...ARGON2ID_PARAMETERS, salt, hash });
}

/**
 * Whether `password` made `stored`. Without a stored hash (no such user) the same work is done and the answer is no, so
 * that time does not tell which names exist. `needs_rehash`: right, but made with other parameters than today's; `hash` is
 * then its successor. Throws a RangeError for a stored text that is no argon2id hash.
 */
export async function verifyPassword(
  password: string,
  stored: string | null,
): Promise<{ valid: boolean; needs_rehash: boolean; hash: string | null }> {
  const refused = { valid: false, needs_rehash: false, hash: null };
  if (stored === null) {
    await derive(password, randomBytes(SALT_BYTES), HASH_BYTES, ARGON2ID_PARAMETERS);
    return refused;
  }
  const phc = decodePhc(stored);
  if (phc === null) throw new RangeError("the stored hash is not an argon2id PHC string");
  const hash = await derive(password, phc.salt, phc.hash.byteLength, phc);
  if (!timingSafeEqual(hash, phc.hash)) return refused;
  const { memoryKib, passes, lanes } = ARGON2ID_PARAMETERS;
  const isOfToday = phc.memoryKib === memoryKib && phc.passes === passes && phc.lanes === lanes;
  return { valid: true, needs_rehash: !isOfToday, hash: isOfToday ? null : await hashPassword(password) };
}

const argon2Async = promisify(argon2);
function derive(password: string, salt: Buffer, tagLength: number, p: Parameters): Promise<Buffer> {
  return argon2Async("argon2id", {
    message: normalisePassword(password),
    nonce: salt,
    parallelism: p.lanes,
    tagLength,
    memory: p.memoryKib,
    passes: p.passes,
  });
}

const base64 = (bytes: Buffer): string => bytes.toString("base64").replaceAll("=", "");
