-- Every move of every publish plan (P3), projected from the change feed, exactly once by its position: cluster, epoch, index,
-- and its place among the moves of one entry. Rows are only ever added, so that batches may come twice and in any order; a
-- rebuild is an empty table and a projection that begins anew. What a restore has rolled back is told by cluster_restores
-- when the rows are read. Like audit_logs it has no foreign key to tenants: it must never hold the projection up. Words of
-- the log are kept as they are, so that those of a newer build fit.
CREATE TABLE publish_history (
  tenant_id text NOT NULL,
  cluster_id text NOT NULL,
  epoch integer NOT NULL CHECK (epoch > 0),
  log_index bigint NOT NULL CHECK (log_index > 0),
  place smallint NOT NULL CHECK (place >= 0),
  publish_id text NOT NULL,
  config_id text NOT NULL,
  app text NOT NULL,
  env text NOT NULL,
  name text NOT NULL,
  config_type text NOT NULL,
  version_id integer NOT NULL CHECK (version_id > 0),
  previous_version_id integer,
  -- NULL: the plan began with this move.
  from_status text,
  status text NOT NULL,
  -- NULL where an older build of the core did not say.
  stage smallint CHECK (stage >= 0),
  gray_groups text[] NOT NULL,
  cause text NOT NULL,
  -- What a gate said that stopped the plan, or why a person let it go on without its gates.
  reason text,
  operator text NOT NULL,
  operator_type text NOT NULL CHECK (operator_type IN ('user', 'token', 'system')),
  operator_id text NOT NULL,
  created_at timestamptz NOT NULL,
  PRIMARY KEY (tenant_id, cluster_id, epoch, log_index, place)
);
CREATE INDEX publish_history_newest ON publish_history (tenant_id, created_at DESC, log_index DESC, place DESC);
CREATE INDEX publish_history_config ON publish_history (tenant_id, config_id, created_at DESC, log_index DESC, place DESC);
CREATE INDEX publish_history_place ON publish_history (tenant_id, app, env, created_at DESC, log_index DESC, place DESC);

ALTER TABLE publish_history ENABLE ROW LEVEL SECURITY;
ALTER TABLE publish_history FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_isolation ON publish_history
  USING (tenant_id = conflux_tenant_id()) WITH CHECK (tenant_id = conflux_tenant_id());
GRANT SELECT, INSERT ON publish_history TO conflux_app;

-- Restores of a cluster's state, projected from the feed: which stretches of its log the state comes from
-- (domain/backup/lineage.ts).
CREATE TABLE cluster_restores (
  cluster_id text NOT NULL,
  epoch integer NOT NULL,
  first_index bigint NOT NULL,
  restored_index bigint NOT NULL,
  PRIMARY KEY (cluster_id, epoch)
);
GRANT SELECT, INSERT ON cluster_restores TO conflux_app;
