import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ownTokens } from "../tokens.ts";

/** Limits are kept as ever, with room for one machine to be everybody. */
export const roomForCrowds = {
  ...ownTokens,
  MAINSTAY_REALTIME_CONNECTIONS_PER_ADDRESS_LIMIT: "16384",
  MAINSTAY_REALTIME_MESSAGES_PER_SECOND: "1000000",
  MAINSTAY_REALTIME_MESSAGES_BURST: "1000000",
  MAINSTAY_REALTIME_JOINS_PER_SECOND: "1000000",
};

/**
 * `ticks`: everybody sees all. `posts`: those who are members of its room do, as a sub-select says. `notes`: as `ticks`, and in no
 * publication.
 */
export function projectForRealtime(): { dir: string; remove(): void } {
  const dir = mkdtempSync(join(tmpdir(), "mainstay-bench-realtime-"));
  mkdirSync(join(dir, "migrations"));
  writeFileSync(
    join(dir, "migrations", "20260101000000_realtime.sql"),
    `create table public.ticks (
       id bigint generated always as identity primary key,
       n bigint not null,
       place integer not null,
       body text not null default 'Forty characters of text in every single row'
     );
     alter table public.ticks enable row level security;
     create policy "all see" on public.ticks for select to anon, authenticated using (true);
     create policy "users add" on public.ticks for insert to authenticated with check (true);
     create table public.members (
       room integer not null,
       user_id uuid not null,
       primary key (user_id, room)
     );
     alter table public.members enable row level security;
     create policy "own" on public.members for select to authenticated using (user_id = (select auth.uid()));
     create table public.posts (
       id bigint generated always as identity primary key,
       n bigint not null,
       room integer not null,
       body text not null default 'Forty characters of text in every single row'
     );
     alter table public.posts enable row level security;
     create policy "members see" on public.posts for select to authenticated
       using (room in (select m.room from public.members m where m.user_id = (select auth.uid())));
     create policy "members add" on public.posts for insert to authenticated
       with check (room in (select m.room from public.members m where m.user_id = (select auth.uid())));
     alter publication supabase_realtime add table public.ticks, public.posts;`,
  );
  return { dir, remove: () => rmSync(dir, { recursive: true, force: true }) };
}
