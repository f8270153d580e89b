-- Roles are shared by all databases of a server, so they may be there already: made by another database's migration
-- or by whoever runs the server. Neither can log in, until a deployment gives conflux_app a password.

DO $$
DECLARE
  role_name text;
BEGIN
  -- conflux_app: what the admin Worker and the Lambdas are. Owns nothing, so row-level security binds it.
  -- conflux_login: owns the functions that look across tenants while somebody signs in, and nothing else.
  FOREACH role_name IN ARRAY ARRAY['conflux_app', 'conflux_login'] LOOP
    BEGIN
      EXECUTE format('CREATE ROLE %I NOLOGIN NOCREATEDB NOCREATEROLE', role_name);
    EXCEPTION WHEN duplicate_object OR unique_violation THEN
      NULL;
    END;
  END LOOP;
  IF EXISTS (
    SELECT FROM pg_roles WHERE rolname IN ('conflux_app', 'conflux_login') AND (rolsuper OR rolbypassrls)
  ) THEN
    RAISE EXCEPTION 'conflux_app and conflux_login must be neither superuser nor BYPASSRLS';
  END IF;
END
$$;

REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public TO conflux_app, conflux_login;

-- The tenant of the transaction. NULL or empty when none was set, and then no row matches.
CREATE FUNCTION conflux_tenant_id() RETURNS text
  LANGUAGE sql STABLE PARALLEL SAFE
  RETURN current_setting('conflux.tenant_id', true);
