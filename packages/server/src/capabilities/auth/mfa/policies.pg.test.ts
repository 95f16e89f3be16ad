import { afterAll, beforeAll, expect, test } from "vitest";
import { openTestAuth, type TestAuth } from "../testing.ts";
import { claimsOf, held, peopleOf, type SignedIn } from "./testing.ts";

let auth: TestAuth;
let people: ReturnType<typeof peopleOf>;
beforeAll(async () => {
  auth = await openTestAuth();
  people = peopleOf(auth);
  // The policies of docs/guide/mfa.md.
  await auth.sql(`
    create table public.letters (id int primary key, owner_id uuid not null, body text);
    alter table public.letters enable row level security;
    grant select on public.letters to authenticated;
    create policy "own letters" on public.letters for select to authenticated
      using (owner_id = (select auth.uid()));
    create policy "with a second factor" on public.letters as restrictive for all to authenticated
      using ((select auth.jwt() ->> 'aal') = 'aal2');

    create table public.notes (id int primary key, owner_id uuid not null);
    alter table public.notes enable row level security;
    grant select on public.notes to authenticated;
    create policy "own notes" on public.notes for select to authenticated using (owner_id = (select auth.uid()));
    create function public.has_second_factor() returns boolean
    language sql stable security definer set search_path = '' as $$
      select exists (
        select from auth.mfa_factors where user_id = (select auth.uid()) and status = 'verified'
      )
    $$;
    create policy "with the second factor they have" on public.notes as restrictive for all to authenticated
      using ((select auth.jwt() ->> 'aal') = 'aal2' or not (select public.has_second_factor()))`);
});
afterAll(() => auth.close());

/** What a caller with this token sees, as the data API asks. */
async function seen({ token }: Pick<SignedIn, "token">, table: "letters" | "notes"): Promise<number> {
  const claims = JSON.stringify(claimsOf(token));
  await auth.sql("begin");
  try {
    await auth.sql("select set_config('role', 'authenticated', true), set_config('request.jwt.claims', $1, true)", [
      claims,
    ]);
    return (await auth.sql(`select id from public.${table}`)).length;
  } finally {
    await auth.sql("rollback");
  }
}

test("A23 a policy can demand aal2: one more sign-in without the factor sees nothing", async () => {
  const fresh = await people.newUser();
  await auth.sql("insert into public.letters values (1, $1, 'private')", [fresh.id]);
  expect(await seen(fresh, "letters")).toBe(0);
  const factor = await people.enroll(fresh.token);
  const raised = await people.raise(fresh, factor);
  expect(await seen(raised, "letters")).toBe(1);
  expect(await seen(held(await people.refresh(raised.refreshToken)), "letters")).toBe(1);
  expect(await seen(await people.signIn(fresh), "letters")).toBe(0);
  const stranger = await people.withFactor();
  expect(await seen(stranger.user, "letters")).toBe(0);
});

test("A23 a policy can demand it of those who have a factor", async () => {
  const plain = await people.newUser();
  const { user, factor } = await people.withFactor();
  await auth.sql("insert into public.notes values (1, $1), (2, $2)", [plain.id, user.id]);
  expect(await seen(plain, "notes")).toBe(1);
  expect(await seen(user, "notes")).toBe(1);
  expect(await seen(await people.signIn(user), "notes")).toBe(0);
  await people.remove(user.token, `/factors/${factor.id}`);
  expect(await seen(await people.signIn(user), "notes")).toBe(1);
});
