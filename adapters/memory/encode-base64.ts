/** Base64 of bytes, however many: a call takes only so many arguments. */
function encodeBase64(bytes: Uint8Array): string {
  let binary = "";
  for (let i = 0; i < bytes.length; i += 0x8000)
    binary += String.fromCharCode(...bytes.subarray(i, i + 0x8000));
  return btoa(binary);
}

/** The same of many. */
export function toBase64(blobs: ReadonlyMap<string, Uint8Array>): Record<string, string> {
  return Object.fromEntries([...blobs].map(([sha256, bytes]) => [sha256, encodeBase64(bytes)]));
}
