-- Signing in (A3): failed attempts, sessions, identities at an OIDC provider, break-glass grants. Users are global, so all of
-- it belongs to no tenant and stands under '_system', which no tenant can be called: the rules of 0002 hold here, too.

-- A user without one signs in elsewhere only: at the provider, or with a break-glass code.
ALTER TABLE users ALTER COLUMN password_hash DROP NOT NULL;

-- Failed sign-ins by name and by address (domain/access/login-lock.ts has the rules). A subject is a keyed digest: people
-- type passwords into the field of the name. `shard` bounds how many rows there can be.
CREATE TABLE login_subjects (
  tenant_id text NOT NULL,
  subject text NOT NULL CHECK (length(subject) BETWEEN 1 AND 64),
  shard smallint NOT NULL CHECK (shard BETWEEN 0 AND 255),
  failures integer NOT NULL DEFAULT 0 CHECK (failures >= 0),
  last_at timestamptz NOT NULL,
  locked_until timestamptz NOT NULL DEFAULT 'epoch',
  PRIMARY KEY (tenant_id, subject)
);
CREATE INDEX login_subjects_quiet ON login_subjects (tenant_id, shard, last_at);

-- Where a user has signed in lately: guesses made elsewhere do not lock the user out there.
CREATE TABLE login_addresses (
  tenant_id text NOT NULL,
  subject text NOT NULL CHECK (length(subject) BETWEEN 1 AND 64),
  user_id text NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  last_at timestamptz NOT NULL,
  PRIMARY KEY (tenant_id, subject)
);
CREATE INDEX login_addresses_user ON login_addresses (tenant_id, user_id, last_at);

-- Lines of refresh tokens (domain/access/session-family.ts); of a token its digest alone.
CREATE TABLE session_families (
  tenant_id text NOT NULL,
  id text NOT NULL,
  user_id text NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  current_digest text NOT NULL,
  previous_digest text,
  repeat_until timestamptz NOT NULL,
  started_at timestamptz NOT NULL,
  used_at timestamptz NOT NULL,
  expires_at timestamptz NOT NULL,
  PRIMARY KEY (tenant_id, id)
);
CREATE INDEX session_families_user ON session_families (tenant_id, user_id, used_at);
CREATE INDEX session_families_expiry ON session_families (tenant_id, expires_at);

-- Who a user is at an OIDC provider: one identity a provider.
CREATE TABLE user_identities (
  tenant_id text NOT NULL,
  issuer text NOT NULL CHECK (length(issuer) BETWEEN 1 AND 512),
  -- OpenID Connect Core 2: at most 255 ASCII characters.
  external_id text NOT NULL CHECK (length(external_id) BETWEEN 1 AND 255),
  user_id text NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  created_at timestamptz NOT NULL,
  PRIMARY KEY (tenant_id, issuer, external_id),
  UNIQUE (tenant_id, issuer, user_id)
);
CREATE INDEX user_identities_user ON user_identities (user_id);
CREATE INDEX login_addresses_of_user ON login_addresses (user_id);
CREATE INDEX session_families_of_user ON session_families (user_id);

-- Ways in that the owner of the database opens for a while (docs/security.md). The application can use one, never make one.
CREATE TABLE break_glass_grants (
  tenant_id text NOT NULL,
  id text NOT NULL,
  user_id text NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  code_digest text NOT NULL,
  reason text NOT NULL CHECK (length(reason) BETWEEN 10 AND 500),
  opened_by text NOT NULL CHECK (length(opened_by) BETWEEN 1 AND 128),
  created_at timestamptz NOT NULL,
  expires_at timestamptz NOT NULL CHECK (expires_at <= created_at + interval '60 minutes'),
  used_at timestamptz,
  PRIMARY KEY (tenant_id, id),
  UNIQUE (tenant_id, code_digest)
);
CREATE INDEX break_glass_grants_user ON break_glass_grants (user_id);

DO $$
DECLARE
  table_name text;
BEGIN
  FOREACH table_name IN ARRAY ARRAY[
    'login_subjects', 'login_addresses', 'session_families', 'user_identities', 'break_glass_grants'
  ] LOOP
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', table_name);
    EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', table_name);
    EXECUTE format(
      'CREATE POLICY tenant_isolation ON %I USING (tenant_id = conflux_tenant_id()) '
      'WITH CHECK (tenant_id = conflux_tenant_id())', table_name);
  END LOOP;
END
$$;
GRANT SELECT, INSERT, UPDATE, DELETE ON login_subjects, login_addresses, session_families TO conflux_app;
GRANT SELECT, INSERT ON user_identities TO conflux_app;
GRANT SELECT ON break_glass_grants TO conflux_app;
GRANT UPDATE (used_at) ON break_glass_grants TO conflux_app;

-- What signing in changes of a user, and nothing else of one. (The policy `operators` of 0006 lets conflux_login update.)
GRANT UPDATE (password_hash, tokens_not_before, is_active) ON users TO conflux_login;
GRANT conflux_login TO CURRENT_USER;
GRANT CREATE ON SCHEMA public TO conflux_login;

-- Both take the hash that is to be replaced: who does not know it changes nothing, and the second of two at once loses.
CREATE FUNCTION conflux_upgrade_password_hash(p_user_id text, p_old text, p_new text) RETURNS boolean
  LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
  AS $$
    WITH changed AS (
      UPDATE public.users SET password_hash = p_new WHERE id = p_user_id AND password_hash = p_old RETURNING 1)
    SELECT EXISTS (SELECT FROM changed)
  $$;
CREATE FUNCTION conflux_change_password(p_user_id text, p_old text, p_new text, p_not_before timestamptz)
  RETURNS boolean
  LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
  AS $$
    WITH changed AS (
      UPDATE public.users
        SET password_hash = p_new, tokens_not_before = greatest(tokens_not_before, p_not_before)
        WHERE id = p_user_id AND is_active AND password_hash = p_old RETURNING 1)
    SELECT EXISTS (SELECT FROM changed)
  $$;
-- Ends every access token of a user that was issued before. Only ever forward.
CREATE FUNCTION conflux_end_user_tokens(p_user_id text, p_not_before timestamptz) RETURNS void
  LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
  AS $$
    UPDATE public.users SET tokens_not_before = greatest(tokens_not_before, p_not_before) WHERE id = p_user_id
  $$;
CREATE FUNCTION conflux_find_user_by_email(p_email text)
  RETURNS TABLE (id text, username text, is_active boolean)
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
  AS $$ SELECT u.id, u.username, u.is_active FROM public.users u WHERE u.email = p_email $$;

-- Ends a user for good: what becomes of a break-glass user. For the owner alone.
CREATE FUNCTION conflux_deactivate_user(p_user_id text, p_not_before timestamptz) RETURNS void
  LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
  AS $$
    UPDATE public.users SET is_active = false, tokens_not_before = greatest(tokens_not_before, p_not_before)
      WHERE id = p_user_id
  $$;

DO $$
DECLARE
  signature text;
BEGIN
  FOREACH signature IN ARRAY ARRAY[
    'conflux_upgrade_password_hash(text, text, text)',
    'conflux_change_password(text, text, text, timestamptz)',
    'conflux_end_user_tokens(text, timestamptz)',
    'conflux_find_user_by_email(text)'
  ] LOOP
    EXECUTE format('ALTER FUNCTION %s OWNER TO conflux_login', signature);
    EXECUTE format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', signature);
    EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO conflux_app, CURRENT_USER', signature);
  END LOOP;
END
$$;
ALTER FUNCTION conflux_deactivate_user(text, timestamptz) OWNER TO conflux_login;
REVOKE ALL ON FUNCTION conflux_deactivate_user(text, timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION conflux_deactivate_user(text, timestamptz) TO CURRENT_USER;
REVOKE CREATE ON SCHEMA public FROM conflux_login;
REVOKE conflux_login FROM CURRENT_USER;
