import type { Logger } from "./core-context.ts";

/** Lines that wait are written at the latest when they have grown to this. */
const WAITING_CHARS_MAX = 64 * 1024;

/**
 * A logger of JSON lines. Lines of one turn leave together, since each write stops the process until the pipe has taken it
 * and a busy leader has one a command; a warning or an error leaves at once, with all before it. `flush` at exit.
 */
export function createLineLog(options: {
  write: (text: string) => void;
  /** Runs `act` in a later turn. */
  later: (act: () => void) => void;
  now: () => Date;
}): { logger: Logger; flush: () => void } {
  let waiting = "";
  const flush = (): void => {
    if (waiting === "") return;
    const text = waiting;
    waiting = "";
    options.write(text);
  };
  const logger: Logger = (line) => {
    if (waiting === "") options.later(flush);
    waiting += `${JSON.stringify({ time: options.now().toISOString(), ...line })}\n`;
    if (line.level !== "info" || waiting.length >= WAITING_CHARS_MAX) flush();
  };
  return { logger, flush };
}
