import { POSTGRES_SUPERUSER } from "./embedded-postgres.ts";

export const DATABASE_NAME = "conflux";

export interface DatabaseUrls {
  /** As the owner: migrations and first data. */
  owner: string;
  /** As the role that row-level security binds. */
  app: string;
  /** Where CREATE DATABASE is said; null when the database is the user's own. */
  maintenance: string | null;
}

/** The URLs of the stack's database, known before it runs. */
export function databaseUrls(input: {
  ownUrl: string | null;
  port: number | null;
  password: string;
}): DatabaseUrls {
  const server = new URL(input.ownUrl ?? `postgres://127.0.0.1:${input.port}/${DATABASE_NAME}`);
  if (input.ownUrl === null) {
    server.username = POSTGRES_SUPERUSER;
    server.password = encodeURIComponent(input.password);
  }
  const maintenance = new URL(server);
  maintenance.pathname = "/postgres";
  const app = new URL(server);
  app.username = "conflux_app";
  app.password = encodeURIComponent(input.password);
  return { owner: server.href, app: app.href, maintenance: input.ownUrl === null ? maintenance.href : null };
}
