-- Mails that functions send in a transaction of their own: kept by the role that enqueues jobs there.

do $$
begin
  -- Where the role could not be made (0034), functions have no transactions to send mails in.
  if not exists (select from pg_roles where rolname = 'mainstay_jobs') then return; end if;
  -- To put in, and nothing else: who reads, claims or ends messages is the server itself. The channel is what the insert is told by.
  grant insert, select (channel) on mainstay.outbox to mainstay_jobs;
  create policy mails_of_functions on mainstay.outbox to mainstay_jobs
    using (channel = 'app-mail') with check (channel = 'app-mail');
end $$;
