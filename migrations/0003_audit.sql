-- Who did what (A5). Rows of log writes are projected from the change feed, exactly once by
-- (tenant_id, cluster_id, epoch, log_index); rows of Postgres-only acts carry no position. There is no foreign key to
-- tenants: an audit outlives what it is about, and acts of no tenant (signing in) stand under '_system', which no tenant
-- can be called. Rows are only ever added.

CREATE TABLE audit_logs (
  tenant_id text NOT NULL,
  id bigint GENERATED ALWAYS AS IDENTITY,
  actor_type text NOT NULL CHECK (actor_type IN ('user', 'token', 'system')),
  actor_id text NOT NULL,
  actor_name text NOT NULL,
  ip text NOT NULL,
  action text NOT NULL,
  resource text NOT NULL,
  outcome text NOT NULL CHECK (outcome IN ('success', 'failure', 'denied')),
  trace_id text NOT NULL,
  summary text NOT NULL,
  cluster_id text,
  epoch integer,
  log_index bigint,
  created_at timestamptz NOT NULL,
  PRIMARY KEY (tenant_id, id),
  UNIQUE (tenant_id, cluster_id, epoch, log_index),
  CHECK (num_nulls(cluster_id, epoch, log_index) IN (0, 3))
);
CREATE INDEX audit_logs_newest ON audit_logs (tenant_id, created_at DESC, id DESC);
CREATE INDEX audit_logs_actor ON audit_logs (tenant_id, actor_id, created_at DESC);
CREATE INDEX audit_logs_resource ON audit_logs (tenant_id, resource, created_at DESC);

CREATE FUNCTION conflux_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
END
$$;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_logs
  FOR EACH STATEMENT EXECUTE FUNCTION conflux_refuse_change();

ALTER TABLE audit_logs ENABLE ROW LEVEL SECURITY;
ALTER TABLE audit_logs FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_isolation ON audit_logs
  USING (tenant_id = conflux_tenant_id()) WITH CHECK (tenant_id = conflux_tenant_id());
GRANT SELECT, INSERT ON audit_logs TO conflux_app;

-- How far a projection of a cluster's feed has come. Moves in the transaction that writes the rows.
CREATE TABLE feed_cursors (
  projection text NOT NULL,
  cluster_id text NOT NULL,
  epoch integer NOT NULL,
  log_index bigint NOT NULL,
  updated_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (projection, cluster_id)
);
GRANT SELECT, INSERT, UPDATE ON feed_cursors TO conflux_app;
