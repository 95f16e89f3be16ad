import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openWorkbench, type Workbench } from "./tools.ts";

let bench: Workbench;
beforeAll(async () => {
  bench = await openWorkbench();
  await bench.mainstay("migrate", "up");
});
afterAll(() => bench.close());

describe("an app's SQL, pushed by the CLI", () => {
  it("finds roles, auth, extensions, the publication and the default privileges", async () => {
    await bench.write({
      "20240101000000_app.sql": `
        create extension if not exists "uuid-ossp" with schema extensions;
        create extension if not exists pgcrypto with schema extensions;
        create table public.profiles (
          id uuid primary key references auth.users (id) on delete cascade,
          token text default encode(gen_random_bytes(8), 'hex'),
          other uuid default uuid_generate_v4(),
          name text not null
        );
        alter table public.profiles enable row level security;
        create policy "own profile" on public.profiles for all to authenticated
          using ((select auth.uid()) = id) with check ((select auth.uid()) = id);
        create policy "everybody reads" on public.profiles for select to anon, authenticated using (true);
        create function public.handle_new_user() returns trigger language plpgsql security definer set search_path = '' as $$
        begin
          insert into public.profiles (id, name) values (new.id, new.raw_user_meta_data ->> 'name');
          return new;
        end $$;
        create trigger on_auth_user_created after insert on auth.users
          for each row execute function public.handle_new_user();
        alter publication supabase_realtime add table public.profiles;
        grant usage on schema public to supabase_auth_admin;
        grant execute on function public.handle_new_user to supabase_auth_admin, service_role, dashboard_user;
        insert into auth.users (id, email, encrypted_password, raw_user_meta_data)
        values ('11111111-1111-4111-8111-111111111111', 'a@b.c', crypt('secret', gen_salt('bf', 4)), '{"name": "Ada"}');
        notify pgrst, 'reload schema';`,
    });
    await bench.supabase("db", "push");
    expect(await bench.rows("select name, length(token) as length from public.profiles")).toEqual([
      { name: "Ada", length: 16 },
    ]);
    expect(await bench.rows("select has_table_privilege('anon', 'profiles', 'select') as granted")).toEqual([
      { granted: true },
    ]);
  });

  it("is seen by gen types", async () => {
    const types = await bench.supabase("gen", "types");
    expect(types).toMatch(/"?profiles"?: \{\s+Row: \{\s+"?id"?: string[;,]?\s*"?name"?: string/);
    expect(types).not.toContain("migration_progress");
  });
});
