-- Names of tenants that were deleted. Audit and publish history outlive a tenant and stand under its name, so a tenant made
-- anew under that name would read them: the name is not given a second time (adapters/postgres/tenant-rows.ts refuses it).
-- The row stands under the name itself, which is the transaction's tenant when it is deleted and when it is asked for.
-- First and in the order in which Workers take them: requests under way would wait for one of the two while this waits for
-- the other.
LOCK TABLE tenants, audit_logs IN ACCESS EXCLUSIVE MODE;

CREATE TABLE deleted_tenants (
  tenant_id text PRIMARY KEY,
  deleted_at timestamptz NOT NULL DEFAULT now()
);

-- A trigger, so that it holds for whoever deletes one, the owner included, and is one with the deletion.
CREATE FUNCTION conflux_mark_deleted_tenant() RETURNS trigger
  LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
  INSERT INTO public.deleted_tenants (tenant_id) VALUES (OLD.tenant_id) ON CONFLICT DO NOTHING;
  RETURN NULL;
END
$$;
CREATE TRIGGER mark_deleted AFTER DELETE ON tenants FOR EACH ROW EXECUTE FUNCTION conflux_mark_deleted_tenant();

-- Tenants deleted before: the audit says so, for its row was added with the deletion or neither was. One that was made anew
-- meanwhile is left as it is. The owner is bound by FORCED row-level security where it is no superuser.
ALTER TABLE audit_logs NO FORCE ROW LEVEL SECURITY;
ALTER TABLE tenants NO FORCE ROW LEVEL SECURITY;
INSERT INTO deleted_tenants (tenant_id, deleted_at)
  SELECT d.name, max(d.created_at) FROM (
    SELECT substr(a.summary, length('deleted tenant ') + 1) AS name, a.created_at FROM audit_logs a
    WHERE a.tenant_id = '_system' AND a.resource = '_system/tenants' AND a.action = 'delete' AND a.outcome = 'success'
      AND a.summary LIKE 'deleted tenant %'
  ) d
  WHERE NOT EXISTS (SELECT FROM tenants t WHERE t.tenant_id = d.name)
  GROUP BY d.name;
ALTER TABLE tenants FORCE ROW LEVEL SECURITY;
ALTER TABLE audit_logs FORCE ROW LEVEL SECURITY;

ALTER TABLE deleted_tenants ENABLE ROW LEVEL SECURITY;
ALTER TABLE deleted_tenants FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_isolation ON deleted_tenants
  USING (tenant_id = conflux_tenant_id()) WITH CHECK (tenant_id = conflux_tenant_id());
GRANT SELECT, INSERT ON deleted_tenants TO conflux_app;
