-- Roles belong to tenants; who runs the installation (its core, its backups) holds none of theirs. An operator may do
-- everything to what belongs to no tenant, and nothing more to what belongs to one. Only the owner makes operators.
ALTER TABLE users ADD COLUMN is_operator boolean NOT NULL DEFAULT false;
GRANT UPDATE (is_operator) ON users TO conflux_login;
CREATE POLICY operators ON users FOR UPDATE TO conflux_login USING (true) WITH CHECK (true);

GRANT conflux_login TO CURRENT_USER;
GRANT CREATE ON SCHEMA public TO conflux_login;
CREATE FUNCTION conflux_is_operator(p_user_id text, p_issued_at timestamptz) RETURNS boolean
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
  AS $$
    SELECT EXISTS (SELECT FROM public.users u WHERE u.id = p_user_id AND u.is_active AND u.is_operator
      AND greatest(u.tokens_not_before, (SELECT max(c.tokens_not_before) FROM public.clusters c)) <= p_issued_at)
  $$;
CREATE FUNCTION conflux_make_operator(p_user_id text) RETURNS void
  LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
  AS $$ UPDATE public.users SET is_operator = true WHERE id = p_user_id $$;
ALTER FUNCTION conflux_is_operator(text, timestamptz) OWNER TO conflux_login;
ALTER FUNCTION conflux_make_operator(text) OWNER TO conflux_login;
REVOKE ALL ON FUNCTION conflux_is_operator(text, timestamptz) FROM PUBLIC;
REVOKE ALL ON FUNCTION conflux_make_operator(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION conflux_is_operator(text, timestamptz) TO conflux_app, CURRENT_USER;
GRANT EXECUTE ON FUNCTION conflux_make_operator(text) TO CURRENT_USER;
REVOKE CREATE ON SCHEMA public FROM conflux_login;
REVOKE conflux_login FROM CURRENT_USER;
