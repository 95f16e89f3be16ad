-- One refresh of a session in one round trip. Sign-in is asked for now and then; refreshes come from every open app every hour,
-- and each would otherwise be ten statements that hold a connection and a lock in between.

/*
 * Uses a refresh token up. The locks let one refresh of a session in at a time, so a family never forks. Both rows are locked by
 * the statement that reads them: one that had to wait reads them again as the other left them.
 *
 * form: the token as it is stored; raw: as it came, for rows that hold it so. successor: what the next one is stored as.
 * outcome: 'rotated' (`stored` is the successor), 'kept' (`stored` is the token presented: rotation is off), 'current'
 * (the token was used already, within the rules: `stored` is the live one), 'reused' and 'expired' (the session has been ended),
 * 'banned', 'unknown'. used: the token presented, as stored. aal and amr: the session's, for the access token.
 */
create function mainstay.refresh_session(
  form text, raw text, successor text, agent text, origin inet,
  rotates boolean, reuse_seconds float8, timebox_seconds float8, inactivity_seconds float8,
  out outcome text, out session_id uuid, out user_id uuid, out stored text, out used text, out aal text, out amr json
)
language plpgsql set lock_timeout = '5s' as $$
#variable_conflict use_column
declare
  token_id bigint;
  was_used boolean;
  used_for float8;
  is_banned boolean;
  is_over boolean;
  parent text;
begin
  select x.id, x.user_id, t.id, t.token, coalesce(t.revoked, false),
      extract(epoch from clock_timestamp() - coalesce(t.updated_at, t.created_at)), u.banned_until > now(),
      x.not_after <= now()
        or (timebox_seconds > 0 and x.created_at < clock_timestamp() - make_interval(secs => timebox_seconds))
        or (inactivity_seconds > 0 and coalesce(x.refreshed_at at time zone 'UTC', x.created_at)
          < clock_timestamp() - make_interval(secs => inactivity_seconds)),
      coalesce(x.aal::text, 'aal1'),
      coalesce((
        select json_agg(json_build_object(
          'method', a.authentication_method, 'timestamp', extract(epoch from a.updated_at)::bigint
        ) order by a.updated_at desc)
        from auth.mfa_amr_claims a where a.session_id = x.id
      ), '[]')
    into session_id, user_id, token_id, used, was_used, used_for, is_banned, is_over, aal, amr
    from auth.refresh_tokens t
    join auth.sessions x on x.id = t.session_id
    join auth.users u on u.id = x.user_id
    where t.token in (form, raw)
    for no key update of x, t;
  if not found then
    outcome := 'unknown';
  elsif is_banned then
    outcome := 'banned';
  elsif is_over then
    outcome := 'expired';
    delete from auth.sessions where id = refresh_session.session_id;
  elsif not was_used and rotates then
    outcome := 'rotated';
    stored := successor;
    with spent as (
      update auth.refresh_tokens set revoked = true, updated_at = clock_timestamp() where id = token_id
    ), seen as (
      update auth.sessions set refreshed_at = now() at time zone 'UTC', updated_at = now(), user_agent = agent, ip = origin
      where id = refresh_session.session_id
    )
    insert into auth.refresh_tokens
      (instance_id, token, user_id, session_id, parent, revoked, created_at, updated_at)
    values ('00000000-0000-0000-0000-000000000000', successor, refresh_session.user_id, refresh_session.session_id,
      used, false, now(), now());
  elsif not was_used then
    outcome := 'kept';
    stored := used;
    update auth.sessions set refreshed_at = now() at time zone 'UTC', updated_at = now(), user_agent = agent, ip = origin
      where id = refresh_session.session_id;
  else
    select t.token, t.parent into stored, parent
      from auth.refresh_tokens t where t.session_id = refresh_session.session_id and t.revoked is not true
      order by t.id desc limit 1;
    if found and (parent = used or used_for < reuse_seconds or not rotates) then
      outcome := 'current';
    else
      outcome := 'reused';
      delete from auth.sessions where id = refresh_session.session_id;
    end if;
  end if;
end $$;

revoke all on function mainstay.refresh_session from public;
