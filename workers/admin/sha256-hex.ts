/** The SHA-256 of a random secret, by which a table knows it: nobody gets from one to the other. */
export async function sha256Hex(secret: string): Promise<string> {
  const bytes = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(secret));
  return [...new Uint8Array(bytes)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
