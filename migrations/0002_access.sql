-- Tenants, users, roles and permissions (seed 003, "Metadata DB"). A tenant's id is its name: it stands in every log
-- entry, scope and token and can never change. Rules of this file and of all that follow:
--   every table with tenant_id has row-level security ENABLED and FORCED and a policy on it;
--   its primary, unique and foreign keys include tenant_id, so that no row can point into another tenant;
--   users are global: a tenant sees those who hold one of its roles.

CREATE TABLE clusters (
  id text PRIMARY KEY CHECK (id ~ '^[A-Za-z0-9][A-Za-z0-9_-]{0,31}$'),
  epoch integer NOT NULL DEFAULT 1 CHECK (epoch > 0),
  created_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE tenants (
  tenant_id text PRIMARY KEY CHECK (tenant_id ~ '^[A-Za-z0-9][A-Za-z0-9._~-]{0,127}$' AND tenant_id !~ '\.\.'),
  cluster_id text NOT NULL REFERENCES clusters (id),
  max_configs integer NOT NULL DEFAULT 1000 CHECK (max_configs >= 0),
  max_config_size_bytes integer NOT NULL DEFAULT 102400 CHECK (max_config_size_bytes >= 0),
  max_api_requests_per_minute integer NOT NULL DEFAULT 120 CHECK (max_api_requests_per_minute >= 0),
  created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX tenants_cluster_id ON tenants (cluster_id);

CREATE TABLE applications (
  tenant_id text NOT NULL REFERENCES tenants (tenant_id) ON DELETE CASCADE,
  name text NOT NULL CHECK (name ~ '^[A-Za-z0-9][A-Za-z0-9._~-]{0,127}$' AND name !~ '\.\.'),
  kms_key_id text,
  created_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (tenant_id, name)
);

CREATE TABLE users (
  id text PRIMARY KEY,
  username text NOT NULL UNIQUE CHECK (length(username) BETWEEN 1 AND 128),
  email text UNIQUE,
  -- argon2id as a PHC string. Only conflux_find_user_for_login reads it.
  password_hash text NOT NULL CHECK (password_hash LIKE '$argon2id$%'),
  is_active boolean NOT NULL DEFAULT true,
  -- Tokens issued before are refused: a password change or "sign out everywhere".
  tokens_not_before timestamptz NOT NULL DEFAULT 'epoch',
  created_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE roles (
  tenant_id text NOT NULL REFERENCES tenants (tenant_id) ON DELETE CASCADE,
  id text NOT NULL,
  name text NOT NULL CHECK (length(name) BETWEEN 1 AND 128),
  description text NOT NULL DEFAULT '',
  created_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (tenant_id, id),
  UNIQUE (tenant_id, name)
);

CREATE TYPE rbac_action AS ENUM ('read', 'write', 'delete', 'list', 'publish', 'approve', 'execute');

CREATE TABLE permissions (
  tenant_id text NOT NULL,
  role_id text NOT NULL,
  action rbac_action NOT NULL,
  resource_pattern text NOT NULL CHECK (length(resource_pattern) BETWEEN 1 AND 520),
  PRIMARY KEY (tenant_id, role_id, action, resource_pattern),
  FOREIGN KEY (tenant_id, role_id) REFERENCES roles (tenant_id, id) ON DELETE CASCADE
);

CREATE TABLE user_roles (
  tenant_id text NOT NULL,
  user_id text NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  role_id text NOT NULL,
  PRIMARY KEY (tenant_id, user_id, role_id),
  FOREIGN KEY (tenant_id, role_id) REFERENCES roles (tenant_id, id) ON DELETE CASCADE
);
CREATE INDEX user_roles_user ON user_roles (user_id);
CREATE INDEX user_roles_role ON user_roles (tenant_id, role_id);

CREATE TABLE client_tokens (
  tenant_id text NOT NULL REFERENCES tenants (tenant_id) ON DELETE CASCADE,
  -- Also the token's jti. The token itself is shown once and never stored.
  id text NOT NULL,
  name text NOT NULL CHECK (length(name) BETWEEN 1 AND 128),
  scopes text[] NOT NULL CHECK (cardinality(scopes) BETWEEN 1 AND 50),
  created_by text NOT NULL REFERENCES users (id),
  created_at timestamptz NOT NULL DEFAULT now(),
  expires_at timestamptz NOT NULL CHECK (expires_at > created_at),
  revoked_at timestamptz,
  PRIMARY KEY (tenant_id, id)
);
CREATE INDEX client_tokens_created_by ON client_tokens (created_by);

-- First answers of writes that touch only Postgres (those of log writes are kept in the log's own state).
CREATE TABLE idempotency_keys (
  tenant_id text NOT NULL REFERENCES tenants (tenant_id) ON DELETE CASCADE,
  scope text NOT NULL,
  digest text NOT NULL,
  result jsonb NOT NULL,
  expires_at timestamptz NOT NULL,
  PRIMARY KEY (tenant_id, scope)
);
CREATE INDEX idempotency_keys_expiry ON idempotency_keys (tenant_id, expires_at);

GRANT SELECT ON clusters TO conflux_app;
GRANT SELECT, INSERT, UPDATE ON tenants TO conflux_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON applications, roles, permissions, user_roles, idempotency_keys TO conflux_app;
GRANT SELECT, INSERT ON client_tokens TO conflux_app;
GRANT UPDATE (revoked_at) ON client_tokens TO conflux_app;
GRANT SELECT (id, username, email, is_active, tokens_not_before, created_at) ON users TO conflux_app;
GRANT INSERT ON users TO conflux_app;

DO $$
DECLARE
  table_name text;
BEGIN
  FOREACH table_name IN ARRAY ARRAY[
    'tenants', 'applications', 'roles', 'permissions', 'user_roles', 'client_tokens', 'idempotency_keys'
  ] LOOP
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', table_name);
    EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', table_name);
    EXECUTE format(
      'CREATE POLICY tenant_isolation ON %I USING (tenant_id = conflux_tenant_id()) '
      'WITH CHECK (tenant_id = conflux_tenant_id())', table_name);
  END LOOP;
END
$$;

ALTER TABLE users ENABLE ROW LEVEL SECURITY;
ALTER TABLE users FORCE ROW LEVEL SECURITY;
CREATE POLICY of_tenant_select ON users FOR SELECT
  USING (EXISTS (SELECT FROM user_roles r WHERE r.user_id = users.id AND r.tenant_id = conflux_tenant_id()));
-- A user is made before it holds a role; a name that is taken is refused by the unique key.
CREATE POLICY anyone_insert ON users FOR INSERT WITH CHECK (true);

-- Signing in knows no tenant yet: these two functions are the only way to look across them, and they belong to a role
-- that can read these two tables and nothing else. That works under an owner who is no superuser, as on Aurora.
GRANT SELECT ON users, user_roles TO conflux_login;
CREATE POLICY sign_in ON users FOR SELECT TO conflux_login USING (true);
CREATE POLICY sign_in ON user_roles FOR SELECT TO conflux_login USING (true);

CREATE FUNCTION conflux_find_user_for_login(p_username text)
  RETURNS TABLE (id text, username text, password_hash text, is_active boolean)
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
  AS $$ SELECT u.id, u.username, u.password_hash, u.is_active FROM public.users u WHERE u.username = p_username $$;

CREATE FUNCTION conflux_find_session_user(p_user_id text)
  RETURNS TABLE (username text, is_active boolean, tokens_not_before timestamptz, tenants text[])
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
  AS $$
    SELECT u.username, u.is_active, u.tokens_not_before,
      ARRAY(SELECT DISTINCT r.tenant_id FROM public.user_roles r WHERE r.user_id = u.id ORDER BY 1)
    FROM public.users u WHERE u.id = p_user_id
  $$;

-- Giving a function away needs membership in the new owner, and that the new owner could have made it.
GRANT conflux_login TO CURRENT_USER;
GRANT CREATE ON SCHEMA public TO conflux_login;
ALTER FUNCTION conflux_find_user_for_login(text) OWNER TO conflux_login;
ALTER FUNCTION conflux_find_session_user(text) OWNER TO conflux_login;
REVOKE ALL ON FUNCTION conflux_find_user_for_login(text) FROM PUBLIC;
REVOKE ALL ON FUNCTION conflux_find_session_user(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION conflux_find_user_for_login(text) TO conflux_app, CURRENT_USER;
GRANT EXECUTE ON FUNCTION conflux_find_session_user(text) TO conflux_app, CURRENT_USER;
REVOKE CREATE ON SCHEMA public FROM conflux_login;
REVOKE conflux_login FROM CURRENT_USER;
