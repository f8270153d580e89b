/** The note beside a snapshot's unfinished file: which snapshot it is, and how much of it is on disk for sure. */
import {
  closeSync,
  ftruncateSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";

const NOTE_FILE = "unfinished.json";
export const UNFINISHED_PREFIX = "unfinished";

export interface ArrivalNote {
  version: 1;
  /** The unfinished file's name. */
  file: string;
  index: number;
  term: number;
  format: number;
  size_bytes: number;
  /** Of the whole file, hex. */
  sha256: string;
  durable_bytes: number;
}

/** In one step. A power cut may leave the note before it, which promises less. */
export function writeNote(directory: string, note: ArrivalNote): void {
  const path = join(directory, NOTE_FILE);
  writeFileSync(`${path}.new`, JSON.stringify(note), { flush: true });
  renameSync(`${path}.new`, path);
}

/** The unfinished file that a note tells of, cut to what is on disk for sure; null, with nothing left, when there is none. */
export function openNoted(directory: string): { note: ArrivalNote; descriptor: number } | null {
  try {
    const note = readNote(join(directory, NOTE_FILE));
    // The last byte is always waited for: it is what makes a file whole.
    note.durable_bytes = Math.min(note.durable_bytes, note.size_bytes - 1);
    const descriptor = openSync(join(directory, note.file), "r+");
    try {
      // A file that is shorter grows by zeros here, which its SHA-256 will show.
      ftruncateSync(descriptor, note.durable_bytes);
    } catch (error) {
      closeSync(descriptor);
      throw error;
    }
    for (const name of unfinished(directory))
      if (name !== note.file && name !== NOTE_FILE) remove(directory, name);
    return { note, descriptor };
  } catch {
    // No note, or none that helps: the snapshot is sent from its beginning.
    removeArrival(directory);
    return null;
  }
}

export function removeArrival(directory: string): void {
  for (const name of unfinished(directory)) remove(directory, name);
}

function readNote(path: string): ArrivalNote {
  const note = JSON.parse(readFileSync(path, "utf8")) as ArrivalNote;
  const numbers = [note.index, note.term, note.format, note.size_bytes, note.durable_bytes];
  const isWhole = numbers.every((value) => Number.isSafeInteger(value) && value >= 0);
  const isNamed = /^unfinished-[\d-]+$/.test(note.file) && /^[0-9a-f]{64}$/.test(note.sha256);
  if (note.version !== 1 || !isWhole || !isNamed || note.durable_bytes > note.size_bytes)
    throw new Error(`${path} is not a note of a snapshot`);
  return note;
}

function unfinished(directory: string): string[] {
  return readdirSync(directory).filter((name) => name.startsWith(UNFINISHED_PREFIX));
}

function remove(directory: string, name: string): void {
  rmSync(join(directory, name), { force: true });
}
