/** What went wrong or was noteworthy, as one line of JSON that Workers Logs indexes. */
export interface LogEvent {
  level: "info" | "warn" | "error";
  event: string;
  region: string;
  [field: string]: string | number | boolean | null;
}

/** Writes one structured log line. `error` is told by its message alone: no stack of ours helps an operator. */
export function logEvent(event: LogEvent, error?: unknown): void {
  const line = error === undefined ? event : { ...event, error: messageOf(error) };
  // oxlint-disable-next-line no-console -- a Worker's log is its console
  console.log(JSON.stringify(line));
}

function messageOf(error: unknown): string {
  return error instanceof Error ? `${error.name}: ${error.message}` : String(error);
}
