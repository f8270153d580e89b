export interface ModelAnswer {
  status: number;
  header(name: string): string | null;
  text: string;
}
/** Where the requests go: the admin API, and the edge of each region. */
export interface ModelWorld {
  tenant: string;
  /** Two of them. */
  regions: readonly string[];
  /** Names of three people who may change every config of the tenant; the first sends all but steps with change requests. */
  users: readonly string[];
  /** `path` is below /api/v1 and has its query. */
  send(request: {
    method: string;
    path: string;
    /** Position in `users`; left out: the first. */
    user?: number;
    body?: string | undefined;
    headers?: Record<string, string>;
  }): Promise<ModelAnswer>;
  fetch(input: {
    config: string;
    region: string;
    labels: Record<string, string>;
    minIndex: string | null;
  }): Promise<ModelAnswer>;
  /** What an envelope of an encrypted config holds, opened as a reader does. */
  open(input: { envelope: string; config: string }): Promise<string>;
}

/** What the system did otherwise than the model. */
export class Mismatch extends Error {
  override readonly name = "Mismatch";
}
