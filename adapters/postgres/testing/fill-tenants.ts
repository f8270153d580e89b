import type { Sql } from "postgres";

/** Values of columns that a check binds to more than a type, an enum or a list, as SQL; `$t` is the tenant's name. */
const VALUES: Record<string, string> = {
  "users.password_hash": "'$argon2id$x'",
  "client_tokens.scopes": "array['read:' || $t]",
  "client_tokens.expires_at": "now() + interval '1 day'",
};
/** Columns that hold null or nothing although they could hold more: a check binds several of them together. */
const LEFT_OUT = new Set(["cluster_id", "epoch", "log_index", "position"]);

interface Column {
  name: string;
  type: string;
  is_array: boolean;
  is_nullable: boolean;
  has_default: boolean;
  is_generated: boolean;
  first_label: string | null;
  checks: string[];
  /** `table.column` that a foreign key makes it point to. */
  points_to: string | null;
}

/**
 * Puts one row of each tenant into every table of the schema, with values made from the catalogue, in whatever order the
 * foreign keys allow. Every text holds the tenant's name, so that a row that shows where it should not gives itself away.
 * As the owner. Throws what Postgres says about a table for which no row could be made: then VALUES wants one more line.
 */
export async function fillTenants(owner: Sql, tenants: readonly string[]): Promise<void> {
  const rows = await owner<{ name: string }[]>`
    select relname as name from pg_class where relkind in ('r', 'p') and not relispartition
      and relnamespace = 'public'::regnamespace and relname <> 'conflux_migrations' order by 1`;
  let left = rows.flatMap(({ name }) => tenants.map((tenant) => ({ name, tenant })));
  while (left.length > 0) {
    const failed: typeof left = [];
    let last: unknown;
    for (const { name, tenant } of left) {
      try {
        await insertRow(owner, name, tenant);
      } catch (error) {
        failed.push({ name, tenant });
        last = error;
      }
    }
    if (failed.length === left.length) {
      const names = [...new Set(failed.map(({ name }) => name))].join(", ");
      throw new Error(`no row could be made for ${names}: ${String(last)}`, { cause: last });
    }
    left = failed;
  }
}

async function insertRow(owner: Sql, table: string, tenant: string): Promise<void> {
  const columns = await readColumns(owner, table);
  const given = columns.filter((c) => wanted(table, c));
  const names = given.map(({ name }) => `"${name}"`).join(", ");
  const values = given.map((column) => valueOf(table, column)).join(", ");
  const text = `insert into "${table}" (${names}) values (${values})`.replaceAll("$t", `'${tenant}'`);
  await owner.unsafe(text);
}

function wanted(table: string, column: Column): boolean {
  if (column.is_generated) return false;
  if (`${table}.${column.name}` in VALUES || !column.is_nullable)
    return !column.has_default || column.points_to !== null;
  return column.type === "text" && !LEFT_OUT.has(column.name);
}

function valueOf(table: string, column: Column): string {
  const known = VALUES[`${table}.${column.name}`];
  if (known !== undefined) return known;
  if (column.name === "tenant_id") return "$t";
  if (column.points_to !== null) {
    const [of, key] = column.points_to.split(".");
    // The tenant's own row; of a table without tenants the one whose key has the tenant's name in it.
    return `(select "${key}" from "${of}" o where to_jsonb(o)::text like '%' || $t || '%' limit 1)`;
  }
  const allowed = column.checks
    .map((check) => /ANY \(ARRAY\['([^']*)'/.exec(check)?.[1])
    .find((v) => v !== undefined);
  if (allowed !== undefined) return `'${allowed}'`;
  if (column.first_label !== null) return `'${column.first_label}'`;
  if (column.is_array) return "'{}'";
  return plainValue(column.type);
}

function plainValue(type: string): string {
  if (type === "text" || type.startsWith("character")) return "$t || '-value'";
  if (type === "boolean") return "false";
  if (type === "jsonb" || type === "json") return "to_jsonb($t::text)";
  if (type === "bytea") return "convert_to($t, 'utf8')";
  if (type === "date") return "current_date";
  if (type.startsWith("timestamp")) return "now()";
  if (type === "inet") return "'192.0.2.1'";
  if (type === "uuid") return "gen_random_uuid()";
  return "1";
}

async function readColumns(owner: Sql, table: string): Promise<Column[]> {
  return owner<Column[]>`
    select a.attname as name, format_type(coalesce(nullif(t.typelem, 0), t.oid), null) as type,
      t.typcategory = 'A' as is_array, not a.attnotnull as is_nullable, a.atthasdef as has_default,
      a.attidentity <> '' or a.attgenerated <> '' as is_generated,
      (select enumlabel from pg_enum e where e.enumtypid = t.oid order by enumsortorder limit 1) as first_label,
      array(select pg_get_constraintdef(k.oid) from pg_constraint k
        where k.conrelid = c.oid and k.contype = 'c' and k.conkey = array[a.attnum]) as checks,
      (select k.confrelid::regclass::text || '.' || b.attname from pg_constraint k
        join generate_subscripts(k.conkey, 1) i on k.conkey[i] = a.attnum
        join pg_attribute b on b.attrelid = k.confrelid and b.attnum = k.confkey[i]
        where k.conrelid = c.oid and k.contype = 'f' and a.attname <> 'tenant_id' limit 1) as points_to
    from pg_class c
    join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
    join pg_type t on t.oid = a.atttypid
    where c.relname = ${table} and c.relnamespace = 'public'::regnamespace order by a.attnum`;
}
