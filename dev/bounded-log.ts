import { closeSync, fstatSync, openSync, renameSync, writeSync } from "node:fs";

/** Bytes of one log file; there are at most two of a name, the present one and `.1`. */
export const LOG_BYTES_MAX = 5 * 1024 * 1024;
/** Lines kept in memory to say why a child died. */
const TAIL_LINES_MAX = 20;
const LINE_BYTES_MAX = 64 * 1024;

/** A child's log on disk, bounded: when it is full it becomes `<path>.1` and a new one begins. */
export class BoundedLog {
  readonly path: string;
  private file: number;
  private sizeBytes: number;
  private lines: string[] = [];
  private readonly bytesMax: number;

  constructor(path: string, bytesMax = LOG_BYTES_MAX) {
    this.path = path;
    this.bytesMax = bytesMax;
    this.file = openSync(path, "a", 0o600);
    this.sizeBytes = fstatSync(this.file).size;
  }

  /** Appends a line (cut at LINE_BYTES_MAX). */
  append(line: string): void {
    const bytes = Buffer.from(`${line.slice(0, LINE_BYTES_MAX)}\n`);
    if (this.sizeBytes + bytes.byteLength > this.bytesMax && this.sizeBytes > 0) this.rotate();
    writeSync(this.file, bytes);
    this.sizeBytes += bytes.byteLength;
    this.lines.push(line);
    if (this.lines.length > TAIL_LINES_MAX) this.lines.shift();
  }

  /** The last lines written by this process. */
  tail(): readonly string[] {
    return this.lines;
  }

  close(): void {
    closeSync(this.file);
  }

  private rotate(): void {
    closeSync(this.file);
    renameSync(this.path, `${this.path}.1`);
    this.file = openSync(this.path, "w", 0o600);
    this.sizeBytes = 0;
  }
}
