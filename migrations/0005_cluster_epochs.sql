-- A restore of a cluster's state begins an epoch and ends every token issued before it: some of them may have been revoked
-- after the backup. Users are global, so a restore of any cluster ends their sessions. Both columns only rise
-- (adapters/postgres/adopt-cluster-epoch.ts).
ALTER TABLE clusters ADD COLUMN tokens_not_before timestamptz NOT NULL DEFAULT 'epoch';
GRANT UPDATE (epoch, tokens_not_before) ON clusters TO conflux_app;
GRANT SELECT ON clusters TO conflux_login;

-- Changing a function needs membership in its owner, and that the owner could have made it.
GRANT conflux_login TO CURRENT_USER;
GRANT CREATE ON SCHEMA public TO conflux_login;
CREATE OR REPLACE FUNCTION conflux_find_session_user(p_user_id text)
  RETURNS TABLE (username text, is_active boolean, tokens_not_before timestamptz, tenants text[])
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
  AS $$
    SELECT u.username, u.is_active,
      greatest(u.tokens_not_before, (SELECT max(c.tokens_not_before) FROM public.clusters c)),
      ARRAY(SELECT DISTINCT r.tenant_id FROM public.user_roles r WHERE r.user_id = u.id ORDER BY 1)
    FROM public.users u WHERE u.id = p_user_id
  $$;
REVOKE CREATE ON SCHEMA public FROM conflux_login;
REVOKE conflux_login FROM CURRENT_USER;
