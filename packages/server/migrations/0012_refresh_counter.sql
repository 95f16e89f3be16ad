-- Our refresh tokens are not stored: a token is a session, a number and a seal (capabilities/auth/tokens.ts), and the session knows
-- the number of its live one. The column is GoTrue's, for the same thing; older databases of Supabase lack it.
alter table auth.sessions add column if not exists refresh_token_counter bigint;
