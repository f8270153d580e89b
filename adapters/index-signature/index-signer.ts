import {
  formatIndexToken,
  indexTokenPayload,
  type IndexPosition,
  parseIndexToken,
} from "../../domain/delivery/index-token.ts";

/** Bytes of the HMAC that a token carries: forging one takes 2^64 guesses on average at a place that answers nothing. */
const SIGNATURE_BYTES = 8;
/** Positions whose token is kept: a head moves forward, so a few are enough. */
const CACHED_TOKENS_MAX = 64;
/** Separates these signatures from any other use of the key. */
const DOMAIN_SEPARATOR = "conflux-index-v1\u0000";
/** Separates the tokens of `signPart` from the others. */
const PART_SEPARATOR = "conflux-index-part-v1\u0000";

/** `CryptoKey` by a name that both runtimes' types have. */
type HmacKey = Awaited<ReturnType<typeof crypto.subtle.importKey>>;

export interface IndexSigner {
  /** The token of a position: `<cluster>.<epoch>.<n>.<signature>`. */
  sign(position: IndexPosition): Promise<string>;
  /**
   * The token of a change that is not the last with its index. It looks like the index's own and asks for the same of a
   * fetch, but who resumes from it is told the index's changes again: the ones after it may not have arrived.
   */
  signPart(position: IndexPosition): Promise<string>;
  /** The position of a token that this key signed; null for a forged, foreign or malformed one. */
  verify(token: string): Promise<IndexPosition | null>;
  /** Up to where the holder of a token has been told everything; null as with `verify`. */
  verifyResume(token: string): Promise<IndexPosition | null>;
}

/**
 * Signs log positions with HMAC-SHA-256, truncated, so that nobody can invent an index to wait for.
 * `key`: the shared secret of the edge and admin Workers, at least 16 characters (a `RangeError` otherwise).
 */
export function createIndexSigner(key: string): IndexSigner {
  if (key.length < 16) throw new RangeError("the index signing key needs at least 16 characters");
  const encoder = new TextEncoder();
  const tokens = new Map<string, string>();
  let imported: HmacKey | null = null;

  // The key is kept and never its promise: a request must not wait for what another, perhaps cancelled, began.
  async function hmacKey(): Promise<HmacKey> {
    imported ??= await crypto.subtle.importKey(
      "raw",
      encoder.encode(key),
      { name: "HMAC", hash: "SHA-256" },
      false,
      ["sign"],
    );
    return imported;
  }

  async function signWith(separator: string, position: IndexPosition): Promise<string> {
    const signed = separator + indexTokenPayload(position);
    const known = tokens.get(signed);
    if (known !== undefined) return known;
    const mac = await crypto.subtle.sign("HMAC", await hmacKey(), encoder.encode(signed));
    const token = formatIndexToken(position, base64Url(new Uint8Array(mac, 0, SIGNATURE_BYTES)));
    if (tokens.size >= CACHED_TOKENS_MAX) tokens.delete(tokens.keys().next().value ?? "");
    tokens.set(signed, token);
    return token;
  }

  async function read(token: string): Promise<{ position: IndexPosition; isPart: boolean } | null> {
    const parsed = parseIndexToken(token);
    if (parsed === null) return null;
    const { position } = parsed;
    if (equalInConstantTime(await sign(position), token)) return { position, isPart: false };
    return equalInConstantTime(await signPart(position), token) ? { position, isPart: true } : null;
  }

  const sign = (position: IndexPosition): Promise<string> => signWith(DOMAIN_SEPARATOR, position);
  const signPart = (position: IndexPosition): Promise<string> => signWith(PART_SEPARATOR, position);

  async function verify(token: string): Promise<IndexPosition | null> {
    return (await read(token))?.position ?? null;
  }

  async function verifyResume(token: string): Promise<IndexPosition | null> {
    const found = await read(token);
    if (found === null) return null;
    const { position, isPart } = found;
    return isPart ? { ...position, index: position.index - 1 } : position;
  }
  return { sign, signPart, verify, verifyResume };
}

function base64Url(bytes: Uint8Array): string {
  return btoa(String.fromCharCode(...bytes))
    .replaceAll("+", "-")
    .replaceAll("/", "_")
    .replaceAll("=", "");
}

/** Looks at every character whatever differs, so that the time tells nothing of where. The length is no secret. */
function equalInConstantTime(a: string, b: string): boolean {
  if (a.length !== b.length) return false;
  let difference = 0;
  for (let i = 0; i < a.length; i += 1) difference |= a.charCodeAt(i) ^ b.charCodeAt(i);
  return difference === 0;
}
