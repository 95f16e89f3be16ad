-- Conversations between travellers, hosts and guests.

create table public.conversations (
  id uuid primary key default gen_random_uuid(),
  created_by uuid not null default auth.uid() references public.profiles (id) on delete cascade,
  title text check (char_length(title) <= 120),
  created_at timestamptz not null default now()
);

create index conversations_created_by_idx on public.conversations (created_by);

create table public.conversation_members (
  conversation_id uuid not null references public.conversations (id) on delete cascade,
  member_id uuid not null references public.profiles (id) on delete cascade,
  joined_at timestamptz not null default now(),
  last_read_message_id bigint,
  primary key (conversation_id, member_id)
);

create index conversation_members_member_idx on public.conversation_members (member_id);

create table public.messages (
  id bigint generated always as identity primary key,
  conversation_id uuid not null references public.conversations (id) on delete cascade,
  sender_id uuid not null default auth.uid() references public.profiles (id) on delete cascade,
  body text not null check (char_length(body) between 1 and 8000),
  created_at timestamptz not null default now()
);

-- The newest messages of one conversation, a page at a time.
create index messages_conversation_idx on public.messages (conversation_id, id desc);
create index messages_sender_idx on public.messages (sender_id);

alter table public.conversations enable row level security;
alter table public.conversation_members enable row level security;
alter table public.messages enable row level security;

-- Behind RLS, because the policy of the member table cannot ask the member table (42P17). Every other policy asks it plainly.
create function private.my_conversation_ids() returns setof uuid
  language sql stable security definer set search_path = ''
  as $$ select m.conversation_id from public.conversation_members m where m.member_id = (select auth.uid()) $$;
revoke execute on function private.my_conversation_ids() from public;
grant execute on function private.my_conversation_ids() to authenticated;

create policy "Members read their conversations" on public.conversations for select to authenticated
  using (
    created_by = (select auth.uid())
    or id in (select m.conversation_id from public.conversation_members m where m.member_id = (select auth.uid()))
  );
create policy "People start conversations" on public.conversations for insert to authenticated
  with check (created_by = (select auth.uid()));
create policy "Starters rename their conversations" on public.conversations for update to authenticated
  using (created_by = (select auth.uid())) with check (created_by = (select auth.uid()));

create policy "Members see each other" on public.conversation_members for select to authenticated
  using (conversation_id in (select private.my_conversation_ids()));
create policy "Members bring others in" on public.conversation_members for insert to authenticated
  with check (conversation_id in (select private.my_conversation_ids()));
create policy "Members keep their place" on public.conversation_members for update to authenticated
  using (member_id = (select auth.uid())) with check (member_id = (select auth.uid()));
create policy "Members leave" on public.conversation_members for delete to authenticated
  using (member_id = (select auth.uid()));
-- Moving a membership elsewhere would be joining a conversation one was not brought into: only the reading position can change.
revoke update on public.conversation_members from anon, authenticated;
grant update (last_read_message_id) on public.conversation_members to authenticated;

create policy "Members read messages" on public.messages for select to authenticated
  using (conversation_id in (select m.conversation_id from public.conversation_members m where m.member_id = (select auth.uid())));
create policy "Members write messages in their own name" on public.messages for insert to authenticated
  with check (
    sender_id = (select auth.uid())
    and conversation_id in (select m.conversation_id from public.conversation_members m where m.member_id = (select auth.uid()))
  );
create policy "Senders take messages back" on public.messages for delete to authenticated
  using (sender_id = (select auth.uid()));

-- Who starts a conversation is in it.
create function private.join_own_conversation() returns trigger
  language plpgsql security definer set search_path = ''
  as $$
  begin
    insert into public.conversation_members (conversation_id, member_id) values (new.id, new.created_by);
    return null;
  end
  $$;
revoke execute on function private.join_own_conversation() from public;

create trigger join_own_conversation after insert on public.conversations
  for each row execute function private.join_own_conversation();

-- One request instead of three, and all of it or nothing. Runs as the caller: the policies above decide.
create function public.start_conversation(member_ids uuid[], title text default null) returns public.conversations
  language plpgsql set search_path = ''
  as $$
  declare
    started public.conversations;
  begin
    insert into public.conversations (title) values (start_conversation.title) returning * into started;
    insert into public.conversation_members (conversation_id, member_id)
      select started.id, m from unnest(member_ids) as m where m <> (select auth.uid())
      on conflict do nothing;
    return started;
  end
  $$;
