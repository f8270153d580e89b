-- Who runs which version of a config, when it was last fetched, and how long changes take to arrive (E16): what clients
-- report at the edge, through the queue conflux-delivery. A config is named tenant/app/env/name, as clients name it.
-- Nothing here is the truth about anything else: rows come twice, late and in any order, and are forgotten after a while.

-- The newest report of each client on each config.
CREATE TABLE delivery_clients (
  tenant_id text NOT NULL REFERENCES tenants (tenant_id) ON DELETE CASCADE,
  config text NOT NULL CHECK (length(config) BETWEEN 7 AND 515),
  client_id text NOT NULL CHECK (length(client_id) BETWEEN 1 AND 128),
  region text NOT NULL,
  version_id integer NOT NULL CHECK (version_id > 0),
  state text NOT NULL CHECK (state IN ('applied', 'rejected', 'error')),
  reason text,
  -- The version last applied; a client that refuses the next one goes on with it.
  running_version_id integer,
  -- Where the fetch stood that gave the version; unknown when the client named no index that we signed.
  cluster_id text,
  epoch integer,
  log_index bigint,
  -- The client's clock, not later than seen_at.
  reported_at timestamptz NOT NULL,
  -- When the edge last heard of the client on this config, by the edge's clock.
  seen_at timestamptz NOT NULL,
  PRIMARY KEY (tenant_id, config, client_id),
  CHECK (num_nulls(cluster_id, epoch, log_index) IN (0, 3))
);
CREATE INDEX delivery_clients_of_config ON delivery_clients (tenant_id, config, seen_at);
CREATE INDEX delivery_clients_oldest ON delivery_clients (tenant_id, seen_at);

-- When a region last served a config, to within some minutes.
CREATE TABLE config_fetches (
  tenant_id text NOT NULL REFERENCES tenants (tenant_id) ON DELETE CASCADE,
  config text NOT NULL CHECK (length(config) BETWEEN 7 AND 515),
  region text NOT NULL,
  last_fetched_at timestamptz NOT NULL,
  PRIMARY KEY (tenant_id, config, region)
);
CREATE INDEX config_fetches_oldest ON config_fetches (tenant_id, last_fetched_at);

-- How many clients had a change within le_ms of its log entry (domain/delivery/propagation.ts has the bounds), by the day
-- on which they reported it.
CREATE TABLE propagation_latency (
  tenant_id text NOT NULL REFERENCES tenants (tenant_id) ON DELETE CASCADE,
  config text NOT NULL CHECK (length(config) BETWEEN 7 AND 515),
  region text NOT NULL,
  day date NOT NULL,
  le_ms integer NOT NULL,
  samples bigint NOT NULL CHECK (samples > 0),
  PRIMARY KEY (tenant_id, config, region, day, le_ms)
);
CREATE INDEX propagation_latency_oldest ON propagation_latency (tenant_id, day);

DO $$
DECLARE
  table_name text;
BEGIN
  FOREACH table_name IN ARRAY ARRAY['delivery_clients', 'config_fetches', 'propagation_latency'] LOOP
    EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %I TO conflux_app', table_name);
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', table_name);
    EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', table_name);
    EXECUTE format(
      'CREATE POLICY tenant_isolation ON %I USING (tenant_id = conflux_tenant_id()) '
      'WITH CHECK (tenant_id = conflux_tenant_id())', table_name);
  END LOOP;
END
$$;
