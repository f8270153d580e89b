-- Groups of users, what the admin API changes of tenants, users and roles, and what operators see (A1, A2).

-- Counts up with each change: the ETag of what the admin API answers.
ALTER TABLE tenants ADD COLUMN revision integer NOT NULL DEFAULT 1;
ALTER TABLE applications ADD COLUMN revision integer NOT NULL DEFAULT 1;
ALTER TABLE users ADD COLUMN revision integer NOT NULL DEFAULT 1;
ALTER TABLE roles ADD COLUMN revision integer NOT NULL DEFAULT 1;

CREATE TABLE user_groups (
  tenant_id text NOT NULL REFERENCES tenants (tenant_id) ON DELETE CASCADE,
  id text NOT NULL,
  name text NOT NULL CHECK (length(name) BETWEEN 1 AND 128),
  description text NOT NULL DEFAULT '',
  revision integer NOT NULL DEFAULT 1,
  created_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (tenant_id, id),
  UNIQUE (tenant_id, name)
);

CREATE TABLE user_group_members (
  tenant_id text NOT NULL,
  group_id text NOT NULL,
  user_id text NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  PRIMARY KEY (tenant_id, group_id, user_id),
  FOREIGN KEY (tenant_id, group_id) REFERENCES user_groups (tenant_id, id) ON DELETE CASCADE
);
CREATE INDEX user_group_members_user ON user_group_members (user_id, tenant_id);

CREATE TABLE user_group_roles (
  tenant_id text NOT NULL,
  group_id text NOT NULL,
  role_id text NOT NULL,
  PRIMARY KEY (tenant_id, group_id, role_id),
  FOREIGN KEY (tenant_id, group_id) REFERENCES user_groups (tenant_id, id) ON DELETE CASCADE,
  FOREIGN KEY (tenant_id, role_id) REFERENCES roles (tenant_id, id) ON DELETE CASCADE
);
CREATE INDEX user_group_roles_role ON user_group_roles (tenant_id, role_id);

-- A request asks for the few patterns that could cover its resource, whatever else the role holds.
CREATE INDEX permissions_of_role ON permissions (tenant_id, role_id, resource_pattern);

-- What is done to a tenant itself is remembered under '_system', and outlives the tenant.
ALTER TABLE idempotency_keys DROP CONSTRAINT idempotency_keys_tenant_id_fkey;

DO $$
DECLARE
  table_name text;
BEGIN
  FOREACH table_name IN ARRAY ARRAY['user_groups', 'user_group_members', 'user_group_roles'] LOOP
    EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %I TO conflux_app', table_name);
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', table_name);
    EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', table_name);
    EXECUTE format(
      'CREATE POLICY tenant_isolation ON %I USING (tenant_id = conflux_tenant_id()) '
      'WITH CHECK (tenant_id = conflux_tenant_id())', table_name);
  END LOOP;
END
$$;
GRANT DELETE ON tenants TO conflux_app;
GRANT UPDATE (email, password_hash, is_active, tokens_not_before, revision) ON users TO conflux_app;
GRANT SELECT (revision) ON users TO conflux_app;

-- A tenant sees who holds one of its roles or is in one of its groups.
DROP POLICY of_tenant_select ON users;
CREATE POLICY of_tenant_select ON users FOR SELECT USING (
  EXISTS (SELECT FROM user_roles r WHERE r.user_id = users.id AND r.tenant_id = conflux_tenant_id())
  OR EXISTS (SELECT FROM user_group_members m WHERE m.user_id = users.id AND m.tenant_id = conflux_tenant_id())
);
-- '_system' is no tenant: it is set for operators alone. They see who there is, and no tenant's rows but its own line.
CREATE POLICY of_system_select ON users FOR SELECT TO conflux_app USING (conflux_tenant_id() = '_system');
CREATE POLICY of_system_update ON users FOR UPDATE TO conflux_app USING (conflux_tenant_id() = '_system');
CREATE POLICY of_system_select ON tenants FOR SELECT TO conflux_app USING (conflux_tenant_id() = '_system');

GRANT SELECT ON user_group_members TO conflux_login;
CREATE POLICY sign_in ON user_group_members FOR SELECT TO conflux_login USING (true);

GRANT conflux_login TO CURRENT_USER;
GRANT CREATE ON SCHEMA public TO conflux_login;
CREATE OR REPLACE FUNCTION conflux_find_session_user(p_user_id text)
  RETURNS TABLE (username text, is_active boolean, tokens_not_before timestamptz, tenants text[])
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
  AS $$
    SELECT u.username, u.is_active,
      greatest(u.tokens_not_before, (SELECT max(c.tokens_not_before) FROM public.clusters c)),
      ARRAY(
        SELECT r.tenant_id FROM public.user_roles r WHERE r.user_id = u.id
        UNION SELECT m.tenant_id FROM public.user_group_members m WHERE m.user_id = u.id ORDER BY 1
      )
    FROM public.users u WHERE u.id = p_user_id
  $$;

-- Whether nobody but the transaction's tenant has to do with a user: then its administrators may change the account.
CREATE FUNCTION conflux_is_own_user(p_user_id text) RETURNS boolean
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
  AS $$
    SELECT NOT u.is_operator AND (
      SELECT array_agg(t.tenant_id) = ARRAY[public.conflux_tenant_id()] FROM (
        SELECT r.tenant_id FROM public.user_roles r WHERE r.user_id = u.id
        UNION SELECT m.tenant_id FROM public.user_group_members m WHERE m.user_id = u.id
      ) t)
    FROM public.users u WHERE u.id = p_user_id
  $$;
CREATE POLICY own_user_update ON users FOR UPDATE TO conflux_app USING (conflux_is_own_user(id));

-- A tenant takes a user of another one in by the exact name. It learns no more than the id.
CREATE FUNCTION conflux_find_user_by_name(p_username text) RETURNS TABLE (id text, is_active boolean)
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
  AS $$ SELECT u.id, u.is_active FROM public.users u WHERE u.username = p_username $$;

ALTER FUNCTION conflux_is_own_user(text) OWNER TO conflux_login;
ALTER FUNCTION conflux_find_user_by_name(text) OWNER TO conflux_login;
REVOKE ALL ON FUNCTION conflux_is_own_user(text) FROM PUBLIC;
REVOKE ALL ON FUNCTION conflux_find_user_by_name(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION conflux_is_own_user(text) TO conflux_app, CURRENT_USER;
GRANT EXECUTE ON FUNCTION conflux_find_user_by_name(text) TO conflux_app, CURRENT_USER;
REVOKE CREATE ON SCHEMA public FROM conflux_login;
REVOKE conflux_login FROM CURRENT_USER;
