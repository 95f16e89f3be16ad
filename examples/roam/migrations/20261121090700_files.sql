-- Files: faces, photos of reviews, identity documents. Who may do what with them is said by policies, as with rows.

insert into storage.buckets (id, name, public, file_size_limit, allowed_mime_types) values
  ('avatars', 'avatars', true, 5000000, '{image/jpeg,image/png,image/webp}'),
  ('review-photos', 'review-photos', true, 15000000, '{image/jpeg,image/png,image/webp,image/avif}'),
  ('identity-documents', 'identity-documents', false, 10000000, '{image/jpeg,image/png,application/pdf}');

-- A person's avatar is at `<id>/avatar`, so a new one replaces the old one: that takes rights to read and to change it besides.
create policy "People keep their own avatar" on storage.objects for all to authenticated
  using (bucket_id = 'avatars' and name = (select auth.uid()) || '/avatar')
  with check (bucket_id = 'avatars' and name = (select auth.uid()) || '/avatar');

-- Caches keep an avatar for as long as they like, because its address ends in its version: whoever reads the profile asks for the newest.
alter table public.profiles add column avatar_version text check (avatar_version ~ '^[0-9a-f-]{36}$');

create function private.keep_avatar_version() returns trigger
  language plpgsql security definer set search_path = ''
  as $$
  begin
    if tg_op = 'DELETE' then
      update public.profiles set avatar_version = null where id = split_part(old.name, '/', 1)::uuid;
    else
      update public.profiles set avatar_version = new.version where id = split_part(new.name, '/', 1)::uuid;
    end if;
    return null;
  end
  $$;
revoke execute on function private.keep_avatar_version() from public;

create trigger roam_avatar_comes after insert or update on storage.objects for each row
  when (new.bucket_id = 'avatars' and new.name ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/avatar$')
  execute function private.keep_avatar_version();
create trigger roam_avatar_goes after delete on storage.objects for each row
  when (old.bucket_id = 'avatars' and old.name ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/avatar$')
  execute function private.keep_avatar_version();

-- Photos are at `<id of the review>/<name>`. They come from people who were there: a review takes an account, its photos take a booking.
create policy "Everybody looks through photos" on storage.objects for select to anon, authenticated
  using (bucket_id = 'review-photos');
create policy "Guests show photos with their reviews" on storage.objects for insert to authenticated
  with check (
    bucket_id = 'review-photos'
    and cardinality(storage.foldername(name)) = 1
    and (storage.foldername(name))[1] in (
      select r.id::text
      from public.reviews r
      join public.slots s on s.place_id = r.place_id
      join public.bookings b on b.slot_id = s.id
      where r.author_id = (select auth.uid()) and b.guest_id = (select auth.uid())
    )
  );
create policy "People take photos off their reviews" on storage.objects for delete to authenticated
  using (
    bucket_id = 'review-photos'
    and (storage.foldername(name))[1] in (select r.id::text from public.reviews r where r.author_id = (select auth.uid()))
  );

-- What photos a review has, as rows: they come with the review in one request, and are told as they come and go.
create table public.review_photos (
  name text primary key,
  review_id bigint not null references public.reviews (id) on delete cascade,
  created_at timestamptz not null default now()
);

create index review_photos_review_idx on public.review_photos (review_id);

alter table public.review_photos enable row level security;
create policy "Everybody reads which photos there are" on public.review_photos for select to anon, authenticated using (true);

create function private.keep_review_photos() returns trigger
  language plpgsql security definer set search_path = ''
  as $$
  begin
    if tg_op = 'DELETE' then
      delete from public.review_photos where name = old.name;
    else
      insert into public.review_photos (name, review_id)
      select new.name, r.id from public.reviews r where r.id = split_part(new.name, '/', 1)::bigint
      on conflict (name) do nothing;
    end if;
    return null;
  end
  $$;
revoke execute on function private.keep_review_photos() from public;

create trigger roam_photo_comes after insert on storage.objects for each row
  when (new.bucket_id = 'review-photos' and new.name ~ '^[0-9]{1,18}/')
  execute function private.keep_review_photos();
create trigger roam_photo_goes after delete on storage.objects for each row
  when (old.bucket_id = 'review-photos') execute function private.keep_review_photos();

-- A review that goes takes its photos along; their bytes follow the rows.
create function private.remove_photo() returns trigger
  language plpgsql security definer set search_path = ''
  as $$
  begin
    perform set_config('storage.allow_delete_query', 'true', true);
    delete from storage.objects where bucket_id = 'review-photos' and name = old.name;
    return null;
  end
  $$;
revoke execute on function private.remove_photo() from public;

create trigger remove_photo after delete on public.review_photos for each row execute function private.remove_photo();

-- Who looks at identity documents. A table and no claim of a token: who is taken out of it sees none from that moment.
create table private.reviewers (
  user_id uuid primary key references auth.users (id) on delete cascade,
  created_at timestamptz not null default now()
);
alter table private.reviewers enable row level security;

create function private.is_reviewer() returns boolean
  language sql stable security definer set search_path = ''
  as $$ select exists (select from private.reviewers r where r.user_id = (select auth.uid())) $$;
revoke execute on function private.is_reviewer() from public;
grant execute on function private.is_reviewer() to authenticated;

-- Documents are at `<id of the person>/<name>`. Handed in once and never changed: there is no policy for updates.
create policy "People hand in their own documents" on storage.objects for insert to authenticated
  with check (
    bucket_id = 'identity-documents'
    and cardinality(storage.foldername(name)) = 1
    and (storage.foldername(name))[1] = (select auth.uid())::text
    and (select (auth.jwt() ->> 'is_anonymous')::boolean) is not true
  );
create policy "Owners and reviewers look at documents" on storage.objects for select to authenticated
  using (
    bucket_id = 'identity-documents'
    and ((storage.foldername(name))[1] = (select auth.uid())::text or (select private.is_reviewer()))
  );
create policy "Owners and reviewers remove documents" on storage.objects for delete to authenticated
  using (
    bucket_id = 'identity-documents'
    and ((storage.foldername(name))[1] = (select auth.uid())::text or (select private.is_reviewer()))
  );

-- Whoever looks at somebody sees a new face, and at a place new photos, as they come.
alter publication supabase_realtime add table public.profiles, public.review_photos;
