import type { clientTokens } from "../../migrations/schema.ts";

/** A client token as its owner sees it: never the token itself. */
export interface ClientTokenRow {
  id: string;
  name: string;
  scopes: string[];
  createdBy: string;
  createdAtMs: number;
  expiresAtMs: number;
  revokedAtMs: number | null;
}

export function toClientTokenRow(row: typeof clientTokens.$inferSelect): ClientTokenRow {
  return {
    id: row.id,
    name: row.name,
    scopes: row.scopes,
    createdBy: row.createdBy,
    createdAtMs: row.createdAt.getTime(),
    expiresAtMs: row.expiresAt.getTime(),
    revokedAtMs: row.revokedAt?.getTime() ?? null,
  };
}
