import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";

const READ_BYTES = 256 * 1024;

/** SHA-256 and size of a file, read piece by piece, so that a large one keeps nobody waiting. Rejects as reading does. */
export async function hashFile(path: string): Promise<{ sha256: Buffer; sizeBytes: number }> {
  const hash = createHash("sha256");
  let sizeBytes = 0;
  for await (const piece of createReadStream(path, { highWaterMark: READ_BYTES }) as AsyncIterable<Buffer>) {
    hash.update(piece);
    sizeBytes += piece.byteLength;
  }
  return { sha256: hash.digest(), sizeBytes };
}
