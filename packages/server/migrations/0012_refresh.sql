-- One refresh of a session in one round trip. Sign-in is asked for now and then; refreshes come from every open app every hour,
-- and each would otherwise be ten statements that hold a connection and a lock in between.

/*
 * Uses a refresh token up. The session's row lock lets one refresh in at a time, so a family never forks; every statement
 * after it sees what the one before committed.
 *
 * forms: the texts a token may be stored as. successor: what the next one is stored as.
 * outcome: 'rotated' (`stored` is the successor), 'kept' (`stored` is the token presented: rotation is off), 'current'
 * (the token was used already, within the rules: `stored` is the live one), 'reused' and 'expired' (the session has been ended),
 * 'banned', 'unknown'. used: the token presented, as stored. aal and amr: the session's, for the access token.
 */
create function mainstay.refresh_session(
  forms text[], successor text, agent text, origin inet,
  rotates boolean, reuse_seconds float8, timebox_seconds float8, inactivity_seconds float8,
  out outcome text, out session_id uuid, out user_id uuid, out stored text, out used text, out aal text, out amr json
)
language plpgsql set search_path = pg_catalog, pg_temp set lock_timeout = '5s' as $$
#variable_conflict use_column
declare
  s record;
  presented record;
  active record;
begin
  outcome := 'unknown';
  select t.session_id, t.user_id::uuid into session_id, user_id
    from auth.refresh_tokens t where t.token = any (forms) and t.session_id is not null limit 1;
  if not found then
    return;
  end if;
  perform from auth.sessions where id = refresh_session.session_id for update;
  select t.id, t.token, coalesce(t.revoked, false) as revoked,
      extract(epoch from clock_timestamp() - coalesce(t.updated_at, t.created_at)) as revoked_for
    into presented from auth.refresh_tokens t where t.token = any (forms) and t.session_id is not null limit 1;
  if not found then
    return;
  end if;
  select x.user_id, u.banned_until > now() as is_banned, x.not_after <= now()
      or (timebox_seconds > 0 and x.created_at < clock_timestamp() - make_interval(secs => timebox_seconds))
      or (inactivity_seconds > 0 and coalesce(x.refreshed_at at time zone 'UTC', x.created_at)
        < clock_timestamp() - make_interval(secs => inactivity_seconds)) as is_over,
      coalesce(x.aal::text, 'aal1') as aal,
      coalesce((
        select json_agg(json_build_object(
          'method', a.authentication_method, 'timestamp', extract(epoch from a.updated_at)::bigint
        ) order by a.updated_at desc)
        from auth.mfa_amr_claims a where a.session_id = x.id
      ), '[]') as amr
    into s from auth.sessions x join auth.users u on u.id = x.user_id where x.id = refresh_session.session_id;
  if not found then
    return;
  end if;
  user_id := s.user_id;
  used := presented.token;
  aal := s.aal;
  amr := s.amr;
  if s.is_banned then
    outcome := 'banned';
    return;
  end if;
  if s.is_over then
    outcome := 'expired';
  elsif not presented.revoked then
    outcome := case when rotates then 'rotated' else 'kept' end;
  else
    select t.token, t.parent into active
      from auth.refresh_tokens t where t.session_id = refresh_session.session_id and t.revoked is not true
      order by t.id desc limit 1;
    outcome := case
      when found and (active.parent = presented.token or presented.revoked_for < reuse_seconds or not rotates)
        then 'current'
      else 'reused'
    end;
  end if;
  case outcome
    when 'expired', 'reused' then
      delete from auth.sessions where id = refresh_session.session_id;
      return;
    when 'current' then
      stored := active.token;
      return;
    when 'kept' then
      stored := presented.token;
    else
      stored := successor;
      update auth.refresh_tokens set revoked = true, updated_at = clock_timestamp() where id = presented.id;
      insert into auth.refresh_tokens
        (instance_id, token, user_id, session_id, parent, revoked, created_at, updated_at)
      values ('00000000-0000-0000-0000-000000000000', successor, s.user_id, refresh_session.session_id,
        presented.token, false, now(), now());
  end case;
  update auth.sessions set refreshed_at = now() at time zone 'UTC', updated_at = now(), user_agent = agent, ip = origin
    where id = refresh_session.session_id;
end $$;

revoke all on function mainstay.refresh_session from public;
