import { sql } from "drizzle-orm";
import { connectPostgres } from "./connect.ts";
import { inTransaction } from "./with-tenant.ts";

/** Whether the database at `url` answers. Rejects with the reason when it does not, in bounded time. */
export async function pingPostgres(url: string): Promise<boolean> {
  const database = connectPostgres(url, { connectionsMax: 1 });
  try {
    await inTransaction(database, (tx) => tx.execute(sql`select 1`));
    return true;
  } finally {
    await database.close();
  }
}
