-- What two requests at once, and what the application's role itself, could do to access. The release before goes on under it.

-- Only the owner makes operators, by conflux_make_operator; who could insert a user could insert one. Workers of the release
-- before name every column when they make a user, so is_operator may be named and not be true.
REVOKE INSERT ON users FROM conflux_app;
GRANT INSERT (id, username, email, password_hash, is_active, tokens_not_before, created_at, is_operator, revision)
  ON users TO conflux_app;
CREATE POLICY no_operator_insert ON users AS RESTRICTIVE FOR INSERT TO conflux_app WITH CHECK (NOT is_operator);

GRANT SELECT ON break_glass_grants TO conflux_login;
CREATE POLICY sign_in ON break_glass_grants FOR SELECT TO conflux_login USING (true);

GRANT conflux_login TO CURRENT_USER;
GRANT CREATE ON SCHEMA public TO conflux_login;

-- Holds a user who signs in as the password was judged: what would change the hash, the user's state or what tokens are
-- good waits for the transaction to end. No for another hash, or a user who is not active.
CREATE FUNCTION conflux_hold_login(p_user_id text, p_hash text) RETURNS boolean
  LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
  AS $$
    WITH held AS (
      SELECT FROM public.users u WHERE u.id = p_user_id AND u.is_active AND u.password_hash = p_hash FOR SHARE)
    SELECT EXISTS (SELECT FROM held)
  $$;

-- Ends every access token of a user that was issued before p_not_before, or before it is run: the later of the two, which it
-- answers. The next millisecond, for a token says to the millisecond when it was issued. Only ever forward.
-- (Workers of the release before call conflux_end_user_tokens.)
CREATE FUNCTION conflux_call_in_tokens(p_user_id text, p_not_before timestamptz) RETURNS timestamptz
  LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
  AS $$
    UPDATE public.users SET tokens_not_before = greatest(tokens_not_before, p_not_before,
      date_trunc('milliseconds', clock_timestamp()) + interval '1 millisecond')
    WHERE id = p_user_id RETURNING tokens_not_before
  $$;

-- Whether a user was made for one emergency: such a one administers no tenant in the sense that another need not.
CREATE FUNCTION conflux_is_break_glass(p_user_id text) RETURNS boolean
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
  AS $$ SELECT EXISTS (SELECT FROM public.break_glass_grants g WHERE g.user_id = p_user_id) $$;

DO $$
DECLARE
  signature text;
BEGIN
  FOREACH signature IN ARRAY ARRAY[
    'conflux_hold_login(text, text)',
    'conflux_call_in_tokens(text, timestamptz)',
    'conflux_is_break_glass(text)'
  ] LOOP
    EXECUTE format('ALTER FUNCTION %s OWNER TO conflux_login', signature);
    EXECUTE format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', signature);
    EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO conflux_app, CURRENT_USER', signature);
  END LOOP;
END
$$;
REVOKE CREATE ON SCHEMA public FROM conflux_login;
REVOKE conflux_login FROM CURRENT_USER;
