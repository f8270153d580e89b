import type postgres from "postgres";
import type { MemoryState } from "../../domain/command/memory-state.ts";

/** What a request has changed since the last time that this was asked: tables, and rows of the core's state by kind. */
export type TakeChanges = () => Promise<string[]>;

/** The audit writes refusals down: that is no change of what the request was about. */
const NOT_WATCHED = ["audit_logs", "fuzz_changes"];

/**
 * Watches every table by a trigger and the core's state at its one door. A trigger's note is in the transaction of the
 * change itself, so what was rolled back is not there; an update that leaves a row as it was is none.
 */
export async function watchChanges(owner: postgres.Sql, state: MemoryState): Promise<TakeChanges> {
  await owner.unsafe(`
    CREATE TABLE fuzz_changes (id bigserial PRIMARY KEY, what text NOT NULL);
    CREATE FUNCTION fuzz_note() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
    BEGIN
      IF TG_OP <> 'UPDATE' OR OLD IS DISTINCT FROM NEW THEN
        INSERT INTO public.fuzz_changes (what) VALUES (lower(TG_OP) || ' ' || TG_TABLE_NAME);
      END IF;
      RETURN NULL;
    END $$;`);
  const tables = await owner<{ name: string }[]>`
    SELECT c.relname AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p') AND NOT c.relispartition`;
  const watched = tables.map(({ name }) => name).filter((name) => !NOT_WATCHED.includes(name));
  if (watched.length === 0) throw new Error("no table is watched");
  for (const name of watched) {
    await owner`CREATE TRIGGER fuzz_note AFTER INSERT OR UPDATE OR DELETE ON ${owner(name)}
      FOR EACH ROW EXECUTE FUNCTION fuzz_note()`;
  }
  const inCore = new Set<string>();
  const apply = state.apply.bind(state);
  state.apply = (changes) => {
    for (const change of changes) inCore.add("key" in change ? keyKind(change.key) : change.op);
    apply(changes);
  };
  return async () => {
    const rows = await owner<{ what: string }[]>`DELETE FROM fuzz_changes RETURNING what`;
    const taken = [...new Set(rows.map(({ what }) => what)), ...inCore];
    inCore.clear();
    return taken;
  };
}

const keyKind = (key: string): string => `core ${key.slice(0, key.indexOf("/") + 1)}`;
