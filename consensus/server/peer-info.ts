/**
 * What a member tells the others of itself, about once a second and when a stream to them is up: its clock, what it
 * understands, and whether it is fenced. JSON with a version; fields that this build does not know are for later ones.
 */
import { z } from "zod";

const PEER_INFO_FORMAT = 1;
export const PEER_INFO_BYTES_MAX = 16 * 1024;
const KINDS_MAX = 256;
const NAME_CHARS_MAX = 64;
const FORMATS_MAX = 64;

const milliseconds = z.number().min(0).max(Number.MAX_SAFE_INTEGER);
const peerInfoSchema = z.object({
  format: z.literal(PEER_INFO_FORMAT),
  /** Version of the build, for people. */
  build: z.string().max(NAME_CHARS_MAX),
  /** Its time since 1970 as it was sent. */
  wall_ms: milliseconds,
  /** The sender's own elapsed time as it was sent, which only means something to the sender. */
  sent_ms: milliseconds,
  /** Of the receiver's newest one: its `sent_ms`, and how long it lay here. Null when there is none. */
  echo: z.object({ sent_ms: milliseconds, held_ms: milliseconds }).nullable(),
  /** Kinds of command it can apply. */
  command_kinds: z.array(z.string().max(NAME_CHARS_MAX)).max(KINDS_MAX),
  /** Formats of snapshots it can read. */
  snapshot_formats: z.array(z.number().int().min(0).max(255)).max(FORMATS_MAX),
  /** It has lost its disk and never votes (R5). Left out by who is not, and by builds before this. */
  fenced: z.boolean().optional(),
});
export type PeerInfo = z.infer<typeof peerInfoSchema>;

export function encodePeerInfo(info: Omit<PeerInfo, "format">): Buffer {
  return Buffer.from(JSON.stringify({ format: PEER_INFO_FORMAT, ...info }));
}

/** Throws an `Error` for what is none. */
export function decodePeerInfo(payload: Uint8Array): PeerInfo {
  if (payload.byteLength > PEER_INFO_BYTES_MAX)
    throw new Error(`a peer's info of ${payload.byteLength} bytes, at most ${PEER_INFO_BYTES_MAX}`);
  const parsed = peerInfoSchema.safeParse(parseJson(Buffer.from(payload).toString()));
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new Error(`a peer's info is not valid at /${issue?.path.map(String).join("/") ?? ""}`);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new Error("a peer's info is no JSON", { cause });
  }
}
