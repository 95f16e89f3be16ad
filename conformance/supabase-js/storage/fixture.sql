-- Buckets and policies as apps on Supabase write them, each policy in the words of its documentation (storage, access control).
insert into storage.buckets (id, name, public, file_size_limit, allowed_mime_types) values
  ('avatars', 'avatars', true, null, null),
  ('documents', 'documents', false, null, null),
  ('archive', 'archive', false, null, null),
  ('shared', 'shared', false, null, null),
  ('pictures', 'pictures', false, 20000, '{image/png,image/jpeg}'),
  ('media', 'media', true, 1000, '{video/*,audio/mpeg}'),
  ('reports', 'reports', false, null, null),
  ('unlisted', 'unlisted', false, null, null),
  ('closed', 'closed', false, null, null);

-- A folder for everybody, named after them.
create policy "Own folder: read" on storage.objects for select to authenticated
  using (bucket_id in ('documents', 'archive') and (storage.foldername(name))[1] = (select auth.uid()::text));
create policy "Own folder: add" on storage.objects for insert to authenticated
  with check (bucket_id in ('documents', 'archive') and (storage.foldername(name))[1] = (select auth.uid()::text));
create policy "Own folder: change" on storage.objects for update to authenticated
  using (bucket_id in ('documents', 'archive') and (storage.foldername(name))[1] = (select auth.uid()::text));
create policy "Own folder: delete" on storage.objects for delete to authenticated
  using (bucket_id = 'documents' and (storage.foldername(name))[1] = (select auth.uid()::text));

-- Everybody sees them, whoever uploaded one may change it.
create policy "Avatars are public" on storage.objects for select using (bucket_id = 'avatars');
create policy "Anybody signed in has an avatar" on storage.objects for insert to authenticated
  with check (bucket_id = 'avatars' and auth.role() = 'authenticated');
create policy "Owners change avatars" on storage.objects for update to authenticated
  using (bucket_id = 'avatars' and owner_id = (select auth.uid()::text));
create policy "Owners delete avatars" on storage.objects for delete to authenticated
  using (bucket_id = 'avatars' and (select auth.uid()) = owner);

-- Owned by `owner_id`, and shown to who is named in the file's own metadata.
create policy "Shared: add" on storage.objects for insert to authenticated
  with check (bucket_id = 'shared' and owner_id = (select auth.uid()::text));
create policy "Shared: read" on storage.objects for select to authenticated
  using (bucket_id = 'shared' and (owner_id = (select auth.uid()::text) or user_metadata -> 'readers' ? (select auth.uid()::text)));

-- By extension, in a folder for all, anonymous people included.
create policy "Pictures in the public folder" on storage.objects for insert to anon, authenticated
  with check (bucket_id = 'pictures' and storage.extension(name) = 'png' and lower((storage.foldername(name))[1]) = 'public');
create policy "Pictures are seen by name" on storage.objects for select to anon, authenticated
  using (bucket_id = 'pictures' and storage.filename(name) not like '.%');

create policy "Media: add" on storage.objects for insert to authenticated with check (bucket_id = 'media');
create policy "Media: replace" on storage.objects for update to authenticated using (bucket_id = 'media');
create policy "Media: read" on storage.objects for select to authenticated using (bucket_id = 'media');

-- Admins by a claim, also for buckets themselves.
create policy "Admins do all with reports" on storage.objects for all to authenticated
  using (bucket_id = 'reports' and (select auth.jwt() -> 'app_metadata' ->> 'role') = 'admin');
create policy "Admins see buckets" on storage.buckets for select to authenticated
  using ((select auth.jwt() -> 'app_metadata' ->> 'role') = 'admin');
create policy "Admins make buckets" on storage.buckets for insert to authenticated
  with check ((select auth.jwt() -> 'app_metadata' ->> 'role') = 'admin');

-- Can be read, added to and removed from by who knows the name; not listed.
create policy "Unlisted: what may be done" on storage.objects for select to authenticated
  using (bucket_id = 'unlisted' and storage.allow_any_operation(
    array['object.get_authenticated', 'object.info_authenticated', 'object.sign', 'object.delete_many']));
create policy "Unlisted: add" on storage.objects for insert to authenticated
  with check (bucket_id = 'unlisted' and storage.allow_only_operation('storage.object.upload'));
create policy "Unlisted: delete" on storage.objects for delete to authenticated
  using (bucket_id = 'unlisted' and storage.operation() = 'storage.object.delete_many');
