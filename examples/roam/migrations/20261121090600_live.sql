-- What the app shows while it happens: messages, bookings, who is here and who types.

-- Rows are told by the publication, not by triggers that broadcast them: whoever may read a row is told of it, by the policies that are
-- there already, and one subscription covers all conversations of a person, also those that others begin later. A trigger would need a
-- second set of rules, and a channel for each conversation.
alter publication supabase_realtime add table
  public.conversation_members, public.messages, public.slots, public.bookings;

-- With the whole old row in the log policies are asked about rows that are deleted, too. Otherwise everybody who waits for deleted rows
-- would be told their keys: who left which conversation, for instance.
alter table public.conversation_members replica identity full;
alter table public.messages replica identity full;
alter table public.bookings replica identity full;

-- Who is here and who types is nobody's row. It goes over a private channel per conversation, `conversation:<id>`: its members may listen
-- and speak on it. Compared as text, because a name that is no UUID is nobody's, and no error.
create policy "Members listen to their conversations" on realtime.messages for select to authenticated
  using (
    (select realtime.topic()) in (
      select 'conversation:' || m.conversation_id from public.conversation_members m where m.member_id = (select auth.uid())
    )
  );
create policy "Members speak in their conversations" on realtime.messages for insert to authenticated
  with check (
    extension in ('broadcast', 'presence')
    and (select realtime.topic()) in (
      select 'conversation:' || m.conversation_id from public.conversation_members m where m.member_id = (select auth.uid())
    )
  );
