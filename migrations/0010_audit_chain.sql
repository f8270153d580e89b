-- One hash chain a tenant, and one for the system (A5). The database itself numbers each row, names the hash of the row
-- before it and hashes the whole: a trigger does, so that nobody who may insert can choose any of the three. The encoding
-- is also in domain/access/audit-chain.ts, with which the verifier computes the hashes anew, away from this database;
-- test/integration/audit-chain.pg.test.ts holds the two together.
--
-- hash = SHA-256 of the fields, each as four bytes of length (big endian) and its UTF-8 text; NULL is the length -1 alone.
-- The fields: the version of the encoding, then every column but `hash` in the order below. Numbers are decimal, times
-- are microseconds since 1970, hashes are hex. Times are cut to milliseconds when a row is added, so that what the API shows is all there is.

ALTER TABLE audit_logs ADD COLUMN seq bigint, ADD COLUMN prev_hash bytea, ADD COLUMN hash bytea;

CREATE FUNCTION conflux_audit_field(value text) RETURNS bytea
  LANGUAGE sql STABLE PARALLEL SAFE
  RETURN coalesce(int4send(octet_length(convert_to(value, 'UTF8'))) || convert_to(value, 'UTF8'), '\xffffffff'::bytea);

CREATE FUNCTION conflux_audit_hash(r audit_logs) RETURNS bytea
  LANGUAGE sql STABLE PARALLEL SAFE
  RETURN sha256(
    conflux_audit_field('conflux-audit-1')
    || conflux_audit_field((r).tenant_id)
    || conflux_audit_field((r).seq::text)
    || conflux_audit_field(encode((r).prev_hash, 'hex'))
    || conflux_audit_field((r).id::text)
    || conflux_audit_field((r).actor_type)
    || conflux_audit_field((r).actor_id)
    || conflux_audit_field((r).actor_name)
    || conflux_audit_field((r).ip)
    || conflux_audit_field((r).action)
    || conflux_audit_field((r).resource)
    || conflux_audit_field((r).outcome)
    || conflux_audit_field((r).trace_id)
    || conflux_audit_field((r).summary)
    || conflux_audit_field((r).cluster_id)
    || conflux_audit_field((r).epoch::text)
    || conflux_audit_field((r).log_index::text)
    || conflux_audit_field(((extract(epoch FROM (r).created_at) * 1000000)::bigint)::text)
  );

-- Rows that are there already are chained in the order in which they were added: from here on they cannot change unseen.
-- The owner is bound by FORCED row-level security where it is no superuser, and would see none of them.
ALTER TABLE audit_logs NO FORCE ROW LEVEL SECURITY;
ALTER TABLE audit_logs DISABLE TRIGGER append_only;
DO $$
DECLARE
  r audit_logs;
  last audit_logs;
BEGIN
  FOR r IN SELECT * FROM audit_logs ORDER BY tenant_id, id LOOP
    r.created_at := date_trunc('milliseconds', r.created_at);
    IF last.tenant_id = r.tenant_id THEN
      r.seq := last.seq + 1;
      r.prev_hash := last.hash;
    ELSE
      r.seq := 1;
      r.prev_hash := decode(repeat('00', 32), 'hex');
    END IF;
    r.hash := conflux_audit_hash(r);
    UPDATE audit_logs SET created_at = r.created_at, seq = r.seq, prev_hash = r.prev_hash, hash = r.hash
      WHERE tenant_id = r.tenant_id AND id = r.id;
    last := r;
  END LOOP;
END
$$;
ALTER TABLE audit_logs ENABLE TRIGGER append_only;
ALTER TABLE audit_logs FORCE ROW LEVEL SECURITY;

ALTER TABLE audit_logs
  ALTER COLUMN seq SET NOT NULL,
  ALTER COLUMN prev_hash SET NOT NULL,
  ALTER COLUMN hash SET NOT NULL,
  ADD CHECK (seq > 0),
  ADD CHECK (octet_length(prev_hash) = 32 AND octet_length(hash) = 32),
  ADD UNIQUE (tenant_id, seq);

-- Runs as who inserts, so row-level security shows it the chain of the transaction's tenant and no other. The lock is held
-- to the end of the transaction: rows of a tenant are numbered in the order in which they are committed, without gaps.
-- Each query sees what was committed before it began, so what is read after the lock is the chain's end.
-- A row whose log position is there already is left out, which makes projections exactly once.
CREATE FUNCTION conflux_chain_audit() RETURNS trigger
  LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
  tail record;
BEGIN
  PERFORM pg_advisory_xact_lock(hashtextextended(NEW.tenant_id, 4850193312));
  IF NEW.log_index IS NOT NULL AND EXISTS (
    SELECT FROM audit_logs a WHERE a.tenant_id = NEW.tenant_id AND a.cluster_id = NEW.cluster_id
      AND a.epoch = NEW.epoch AND a.log_index = NEW.log_index
  ) THEN
    RETURN NULL;
  END IF;
  SELECT a.seq, a.hash INTO tail FROM audit_logs a WHERE a.tenant_id = NEW.tenant_id ORDER BY a.seq DESC LIMIT 1;
  NEW.seq := coalesce(tail.seq, 0) + 1;
  NEW.prev_hash := coalesce(tail.hash, decode(repeat('00', 32), 'hex'));
  NEW.created_at := date_trunc('milliseconds', NEW.created_at);
  NEW.hash := conflux_audit_hash(NEW);
  RETURN NEW;
END
$$;
CREATE TRIGGER chain BEFORE INSERT ON audit_logs FOR EACH ROW EXECUTE FUNCTION conflux_chain_audit();

-- What the database makes, nobody may even name.
REVOKE INSERT ON audit_logs FROM conflux_app;
GRANT INSERT (
  tenant_id, actor_type, actor_id, actor_name, ip, action, resource, outcome, trace_id, summary,
  cluster_id, epoch, log_index, created_at
) ON audit_logs TO conflux_app;

-- Searches: a filter, then newest first. Resources also by what they begin with, whatever the collation.
DROP INDEX audit_logs_resource;
CREATE INDEX audit_logs_resource ON audit_logs (tenant_id, resource text_pattern_ops, created_at DESC, id DESC);
CREATE INDEX audit_logs_actor_name ON audit_logs (tenant_id, actor_name, created_at DESC, id DESC);
CREATE INDEX audit_logs_action ON audit_logs (tenant_id, action, created_at DESC, id DESC);
CREATE INDEX audit_logs_not_done ON audit_logs (tenant_id, outcome, created_at DESC, id DESC)
  WHERE outcome <> 'success';

-- Where every chain ends, for who anchors them in the log (lambdas/audit-anchor.ts). It shows a hash and no row.
GRANT SELECT (tenant_id, seq, hash) ON audit_logs TO conflux_login;
CREATE POLICY chain_heads ON audit_logs FOR SELECT TO conflux_login USING (true);
GRANT conflux_login TO CURRENT_USER;
GRANT CREATE ON SCHEMA public TO conflux_login;
CREATE FUNCTION conflux_audit_heads(p_after text, p_limit integer)
  RETURNS TABLE (tenant_id text, seq bigint, hash bytea)
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
  AS $$
    WITH RECURSIVE tenant AS (
      (SELECT a.tenant_id, 1 AS n FROM public.audit_logs a WHERE a.tenant_id > p_after AND p_limit > 0
        ORDER BY a.tenant_id LIMIT 1)
      UNION ALL
      SELECT next.tenant_id, t.n + 1 FROM tenant t CROSS JOIN LATERAL (
        SELECT a.tenant_id FROM public.audit_logs a WHERE a.tenant_id > t.tenant_id ORDER BY a.tenant_id LIMIT 1
      ) next WHERE t.n < p_limit
    )
    SELECT t.tenant_id, head.seq, head.hash FROM tenant t CROSS JOIN LATERAL (
      SELECT a.seq, a.hash FROM public.audit_logs a WHERE a.tenant_id = t.tenant_id ORDER BY a.seq DESC LIMIT 1
    ) head ORDER BY t.tenant_id
  $$;
ALTER FUNCTION conflux_audit_heads(text, integer) OWNER TO conflux_login;
REVOKE ALL ON FUNCTION conflux_audit_heads(text, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION conflux_audit_heads(text, integer) TO conflux_app, CURRENT_USER;
REVOKE CREATE ON SCHEMA public FROM conflux_login;
REVOKE conflux_login FROM CURRENT_USER;
