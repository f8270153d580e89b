import { sql } from "drizzle-orm";
import { connectPostgres } from "./connect.ts";

/** Whether the database at `url` answers. Rejects with the reason when it does not. */
export async function pingPostgres(url: string): Promise<boolean> {
  const database = connectPostgres(url, { connectionsMax: 1 });
  try {
    await database.db.execute(sql`select 1`);
    return true;
  } finally {
    await database.close();
  }
}
