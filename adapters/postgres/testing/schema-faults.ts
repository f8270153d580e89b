import type { Sql, TransactionSql } from "postgres";

/** The role as which the application connects. */
const APP = "conflux_app";
/** What every policy for that role must say, so that no second one opens what the first closes. */
const POLICY = "(tenant_id = conflux_tenant_id())";

const ofColumns = (privilege: string, columns: readonly string[]): string[] =>
  columns.map((column) => `${privilege}(${column})`);
const USER_COLUMNS = ["created_at", "email", "id", "is_active", "revision", "tokens_not_before", "username"];

/** Tables that belong to no tenant, what the role may do with them, and why another tenant may see that. */
export const TABLES_WITHOUT_TENANT: Record<string, { may: string[]; why: string }> = {
  clusters: {
    may: ["SELECT", "UPDATE(epoch)", "UPDATE(tokens_not_before)"],
    why: "says which cores there are and when their epoch began; nothing of a tenant",
  },
  cluster_restores: {
    may: ["INSERT", "SELECT"],
    why: "says when the state of a core was restored, and from which index; nothing of a tenant",
  },
  users: {
    may: [
      // A policy of its own refuses an operator. `is_operator` is named by Workers of the release before 0012.
      ...ofColumns("INSERT", [...USER_COLUMNS, "is_operator", "password_hash"]),
      ...ofColumns("SELECT", USER_COLUMNS),
      ...ofColumns("UPDATE", ["email", "is_active", "password_hash", "revision", "tokens_not_before"]),
    ],
    why: "users are global; a policy of its own shows those who hold a role in the tenant, no column their password",
  },
  conflux_migrations: { may: [], why: "the owner's record of migrations" },
};

/** Functions that the role may call, and what they tell whoever names the arguments. */
export const FUNCTIONS: Record<string, string> = {
  "conflux_tenant_id()": "the setting of this transaction",
  "conflux_refuse_change()": "a trigger: cannot be called",
  "conflux_find_user_for_login(text)":
    "the user of exactly this name with the hash of their password, for signing in; lists nobody",
  "conflux_find_session_user(text)": "name, state and tenants of the user of exactly this id; lists nobody",
  "conflux_find_user_by_name(text)": "id and state of the user of exactly this name; lists nobody",
  "conflux_is_own_user(text)": "whether the transaction's tenant alone has to do with the user of this id",
  "conflux_is_operator(text,timestamp with time zone)": "whether the user of this id is an operator",
  "conflux_upgrade_password_hash(text,text,text)":
    "stores another hash for who knows the one that is there; tells whether it did",
  "conflux_change_password(text,text,text,timestamp with time zone)":
    "the same, and ends the user's access tokens",
  "conflux_end_user_tokens(text,timestamp with time zone)":
    "ends a user's access tokens; tells nothing (for Workers of the release before 0012)",
  "conflux_call_in_tokens(text,timestamp with time zone)":
    "the same, up to the moment at which it runs; tells from when on the user's tokens are good",
  "conflux_hold_login(text,text)":
    "keeps who knows the hash of a user's password from being changed meanwhile; tells whether that is the hash",
  "conflux_is_break_glass(text)": "whether the user of this id was made for an emergency",
  "conflux_find_user_by_email(text)":
    "id, name and state of the user of exactly this address, for signing in at a provider; lists nobody",
  "conflux_chain_audit()": "a trigger: cannot be called",
  "conflux_mark_deleted_tenant()": "a trigger: cannot be called",
  "conflux_audit_field(text)": "encodes the text that it is given",
  "conflux_audit_hash(audit_logs)": "hashes the row that it is given",
  "conflux_audit_heads(text,integer)":
    "names of tenants with the length and the last hash of their audit, for anchoring them; shows no row",
};

/** Policies of tenant tables, besides the one that all have, that bind the role: what each opens, and to whom. */
export const FURTHER_POLICIES: Record<string, string> = {
  "tenants.of_system_select":
    "operators, for whom alone _system is set, see which tenants there are and their quotas",
};

/** Tables without a tenant that tenants' rows may point to: whether a row is there can be learnt by pointing to it. */
export const POINTED_TO: Record<string, string> = {
  clusters: "anyone may read the clusters",
  users: "users are global; their ids are drawn from 80 random bits, so that nobody names one by chance",
};

type Row = Record<string, unknown>;
interface Check {
  says: string;
  /** Rows with a `name`: what is at fault. */
  find: (sql: Sql | TransactionSql) => Promise<readonly Row[]>;
}

/**
 * What the catalogue of the schema `public` says against the isolation of tenants, a sentence each; nothing when all is
 * well. Reads the catalogue alone, so that an object that nobody thought of is looked at like all others.
 */
export async function schemaFaults(sql: Sql | TransactionSql): Promise<string[]> {
  const faults: string[] = [];
  for (const { says, find } of CHECKS) {
    for (const { name } of await find(sql)) faults.push(`${String(name)}: ${says}`);
  }
  return faults.toSorted();
}

/** Tables of tenants: those with a column tenant_id. */
const TENANT_TABLES = `
  select c.oid, c.relname, c.relispartition, c.relrowsecurity, c.relforcerowsecurity from pg_class c
  join pg_attribute t on t.attrelid = c.oid and t.attname = 'tenant_id' and not t.attisdropped
  where c.relkind in ('r', 'p') and c.relnamespace = 'public'::regnamespace`;
const APP_OID = `(select oid from pg_roles where rolname = '${APP}')`;
/** Privileges of the role on a relation, those on single columns included. */
const privileges = (relation: string): string => `
  array(select p || '' from unnest(array['SELECT','INSERT','UPDATE','DELETE','TRUNCATE','REFERENCES','TRIGGER']) p
    where has_table_privilege('${APP}', ${relation}, p)
    union all
    select p || '(' || a.attname || ')' from pg_attribute a, unnest(array['SELECT','INSERT','UPDATE','REFERENCES']) p
    where a.attrelid = ${relation} and a.attnum > 0 and not a.attisdropped
      and not has_table_privilege('${APP}', ${relation}, p)
      and has_column_privilege('${APP}', ${relation}, a.attnum, p)
    order by 1)`;
const query =
  (text: string): Check["find"] =>
  (sql) =>
    sql.unsafe(text);
const named = (list: Record<string, unknown>): string =>
  ["", ...Object.keys(list)].map((name) => `'${name}'`).join(", ");

const CHECKS: Check[] = [
  {
    says: "row-level security is not enabled and forced",
    find: query(`select relname as name from (${TENANT_TABLES}) c
      where not (relrowsecurity and relforcerowsecurity) and not relispartition`),
  },
  {
    says: `no policy for every command that says ${POLICY}`,
    find: query(`select relname as name from (${TENANT_TABLES}) c where not relispartition and not exists (
      select from pg_policy p where p.polrelid = c.oid and p.polcmd = '*' and p.polpermissive and 0 = any(p.polroles)
        and pg_get_expr(p.polqual, p.polrelid) = '${POLICY}'
        and pg_get_expr(p.polwithcheck, p.polrelid) = '${POLICY}')`),
  },
  {
    says: `a further policy opens it to ${APP}`,
    find: query(`select c.relname || '.' || p.polname as name from (${TENANT_TABLES}) c
      join pg_policy p on p.polrelid = c.oid
      where p.polpermissive and exists (select from unnest(p.polroles) r where r = 0 or pg_has_role('${APP}', r, 'member'))
        and c.relname || '.' || p.polname not in (${named(FURTHER_POLICIES)})
        and not (coalesce(pg_get_expr(p.polqual, p.polrelid), '${POLICY}') = '${POLICY}'
          and coalesce(pg_get_expr(p.polwithcheck, p.polrelid), '${POLICY}') = '${POLICY}')`),
  },
  {
    says: "a table without tenant_id that is not on the list of those, or may be used otherwise than it says",
    find: async (sql) => {
      const rows = await sql.unsafe(`select c.relname as name, ${privileges("c.oid")} as may from pg_class c
        where c.relkind in ('r', 'p', 'f') and c.relnamespace = 'public'::regnamespace
          and c.oid not in (select oid from (${TENANT_TABLES}) t)`);
      return rows.filter((row) => {
        const listed = TABLES_WITHOUT_TENANT[String(row["name"])];
        return JSON.stringify(listed?.may.toSorted()) !== JSON.stringify((row["may"] as string[]).toSorted());
      });
    },
  },
  {
    says: "a primary or unique key, an exclusion or a unique index without tenant_id",
    find: query(`select x.relname as name from (${TENANT_TABLES}) c
      join pg_index i on i.indrelid = c.oid join pg_class x on x.oid = i.indexrelid
      where (i.indisunique or i.indisexclusion) and not exists (select from pg_attribute a
        where a.attrelid = c.oid and a.attname = 'tenant_id' and a.attnum = any(i.indkey))`),
  },
  {
    says: "a foreign key that can point into another tenant",
    find: query(`select c.relname || '.' || k.conname as name from (${TENANT_TABLES}) c
      join pg_constraint k on k.conrelid = c.oid and k.contype = 'f'
      join (${TENANT_TABLES}) o on o.oid = k.confrelid
      where not exists (select from generate_subscripts(k.conkey, 1) i
        join pg_attribute a on a.attrelid = k.conrelid and a.attnum = k.conkey[i]
        join pg_attribute b on b.attrelid = k.confrelid and b.attnum = k.confkey[i]
        where a.attname = 'tenant_id' and b.attname = 'tenant_id')`),
  },
  {
    says: "a foreign key to a table without tenants that is not on the list of those",
    find: query(`select c.relname || '.' || a.attname as name from (${TENANT_TABLES}) c
      join pg_constraint k on k.conrelid = c.oid and k.contype = 'f'
      join pg_attribute a on a.attrelid = k.conrelid and a.attnum = any(k.conkey)
      where k.confrelid not in (select oid from (${TENANT_TABLES}) t)
        and k.confrelid::regclass::text not in (${named(POINTED_TO)})`),
  },
  {
    says: `${APP} has a privilege that row-level security does not bind (TRUNCATE, REFERENCES, TRIGGER)`,
    find: query(`select c.relname as name from pg_class c
      where c.relkind in ('r', 'p', 'f', 'v', 'm') and c.relnamespace = 'public'::regnamespace
        and exists (select from unnest(${privileges("c.oid")}) p where p ~ '^(TRUNCATE|REFERENCES|TRIGGER)')`),
  },
  {
    says: `a partition on which ${APP} has a privilege of its own`,
    find: query(`select c.relname as name from pg_class c where c.relispartition and c.relkind in ('r', 'p')
      and c.relnamespace = 'public'::regnamespace and cardinality(${privileges("c.oid")}) > 0`),
  },
  {
    says: "a view without security_invoker",
    find: query(`select relname as name from pg_class where relkind = 'v' and relnamespace = 'public'::regnamespace
      and not coalesce(reloptions::text[] && array['security_invoker=true', 'security_invoker=on'], false)`),
  },
  {
    says: `a materialised view or a sequence that ${APP} may use: neither knows of tenants`,
    find: query(`select relname as name from pg_class c where relnamespace = 'public'::regnamespace
      and ((relkind = 'm' and cardinality(${privileges("c.oid")}) > 0)
        or (relkind = 'S' and has_sequence_privilege('${APP}', oid, 'SELECT,USAGE,UPDATE')))`),
  },
  {
    says: `a function that ${APP} may call and that is not on the list of those`,
    find: query(`select p.oid::regprocedure::text as name from pg_proc p
      where p.pronamespace = 'public'::regnamespace and has_function_privilege('${APP}', p.oid, 'execute')
        and p.oid::regprocedure::text not in (${named(FUNCTIONS)})`),
  },
  {
    says: "a SECURITY DEFINER function of another owner than conflux_login, open to all, or with a search path of its caller",
    find: query(`select p.oid::regprocedure::text as name from pg_proc p
      where p.prosecdef and p.pronamespace = 'public'::regnamespace and (
        p.proowner <> (select oid from pg_roles where rolname = 'conflux_login')
        or has_function_privilege('pg_monitor', p.oid, 'execute')
        or not coalesce(p.proconfig::text like '%search_path=pg_catalog, public, pg_temp%', false))`),
  },
  {
    says: `${APP} is more than it should be: an owner, a member of a role, or above policies`,
    find: query(`select rolname as name from pg_roles r where rolname = '${APP}' and (
      rolsuper or rolbypassrls or rolcreaterole or rolcreatedb or rolreplication
      or exists (select from pg_auth_members m where m.member = r.oid)
      or exists (select from pg_class where relowner = r.oid) or exists (select from pg_proc where proowner = r.oid)
      or exists (select from pg_namespace where nspowner = r.oid) or exists (select from pg_type where typowner = r.oid)
      or exists (select from pg_default_acl d, aclexplode(d.defaclacl) a where a.grantee in (r.oid, 0))
      or has_schema_privilege(r.oid, 'public', 'create') or has_database_privilege(r.oid, current_database(), 'create'))
      and r.oid = ${APP_OID}`),
  },
];
