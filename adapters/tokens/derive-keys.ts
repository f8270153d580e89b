const utf8 = new TextEncoder();
const SEALING_KEY_BITS = 256;

/** Keys that signing in needs besides the one that signs, all made from it: one secret to keep, and one to change. */
export interface DerivedKeys {
  /** A digest that only we can make, as 43 characters of base64url. `purpose` keeps uses apart. */
  digest(purpose: string, text: string): Promise<string>;
  /** Seals what a browser keeps for us (AES-256-GCM). */
  readonly sealing: Uint8Array;
}

/** HKDF-SHA-256 (RFC 5869) over the private part of the signing key. */
export async function deriveKeys(privatePart: string): Promise<DerivedKeys> {
  const secret = await crypto.subtle.importKey("raw", utf8.encode(privatePart), "HKDF", false, [
    "deriveBits",
    "deriveKey",
  ]);
  const from = (info: string) => ({
    name: "HKDF",
    hash: "SHA-256",
    salt: new Uint8Array(),
    info: utf8.encode(info),
  });
  const hmac = await crypto.subtle.deriveKey(
    from("conflux sign-in digests"),
    secret,
    { name: "HMAC", hash: "SHA-256", length: 256 },
    false,
    ["sign"],
  );
  const sealing = await crypto.subtle.deriveBits(from("conflux sign-in state"), secret, SEALING_KEY_BITS);
  return {
    sealing: new Uint8Array(sealing),
    async digest(purpose, text) {
      const bytes = await crypto.subtle.sign("HMAC", hmac, utf8.encode(`${purpose}\0${text}`));
      return base64Url(new Uint8Array(bytes));
    },
  };
}

function base64Url(bytes: Uint8Array): string {
  return btoa(String.fromCharCode(...bytes))
    .replaceAll("+", "-")
    .replaceAll("/", "_")
    .replaceAll("=", "");
}
