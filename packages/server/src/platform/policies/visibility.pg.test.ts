import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Principal } from "../../kernel/principal.ts";
import { dropRoles, type Engine, openEngine } from "./engine.testing.ts";
import { principal } from "./testing.ts";

const [ann, ben, cat] = ["a", "b", "c"].map((char) => `${char.repeat(8)}-0000-4000-8000-000000000000`) as [
  string,
  string,
  string,
];

/** Ten classes of caller. */
const callers: Readonly<Record<string, Principal>> = {
  nobody: principal("anon", { role: "anon" }),
  ann: principal("authenticated", { sub: ann, role: "authenticated", org: "1", email: "ann@example.com" }, ann),
  ben: principal(
    "authenticated",
    { sub: ben, role: "authenticated", org: "2", app_metadata: { roles: ["editor"], level: 3 } },
    ben,
  ),
  stranger: principal("authenticated", { sub: cat, role: "authenticated" }, cat),
  "odd subject": principal("authenticated", { sub: "no-uuid", role: "authenticated" }, "no-uuid"),
  service: principal("service_role", { role: "service_role" }),
  owner: principal("seeing_owner", { role: "seeing_owner", sub: ann }, ann),
  editor: principal("seeing_editor", { role: "seeing_editor", sub: ben }, ben),
  reader: principal("seeing_reader", { role: "seeing_reader", sub: ann }, ann),
  "not a role": principal("seeing_gone", { role: "seeing_gone", sub: ann }, ann),
};

const schema = `
  create role seeing_owner; create role seeing_editor; create role seeing_reader;
  grant usage on schema public, auth to seeing_owner, seeing_editor, seeing_reader;
  grant authenticated to seeing_editor;
  create schema hidden;
  create type mood as enum ('good', 'bad');
  create domain title as text check (length(value) < 40);
  create table members (org int, user_id uuid, role text, primary key (org, user_id));
  create table orgs (id int primary key, owner uuid, is_open boolean);
  insert into orgs values (1, '${ann}', true), (2, '${ben}', false), (3, null, null);
  insert into members values (1, '${ann}', 'admin'), (2, '${ben}', 'member'), (1, '${ben}', 'member'), (3, '${cat}', null);
  alter table members enable row level security;
  create policy own on members using (user_id = auth.uid());
  grant select on members, orgs to anon, authenticated, seeing_owner, seeing_editor, seeing_reader;
  create function is_member(wanted int) returns boolean language sql stable security definer set search_path = ''
    as $$ select exists (select from public.members where org = wanted and user_id = auth.uid()) $$;
  create function whole_row_has(docs_row anyelement) returns boolean language sql stable
    as $$ select to_jsonb(docs_row) ->> 'title' like 'open%' $$;
  create function explode(int) returns boolean language plpgsql stable as $$ begin raise 'no'; end $$;
  create function secret_rule() returns boolean language sql stable as $$ select true $$;
  revoke execute on function secret_rule() from public;
  grant execute on function secret_rule() to seeing_editor;
`;

/** Every kind of policy by name: what makes a table \`docs\` of it. */
const kinds: Readonly<Record<string, string>> = {
  "no policy": "",
  "all of them": "create policy p on docs for select using (true)",
  owner: "create policy p on docs using (owner = auth.uid())",
  "owner, the old way": `create policy p on docs using (owner = (nullif(current_setting('request.jwt.claims', true), '')::json ->> 'sub')::uuid)`,
  "to a role": "create policy p on docs for select to seeing_reader using (true)",
  "to an inherited role": "create policy p on docs for select to authenticated using (owner is not null)",
  "for another command": "create policy p on docs for insert with check (true)",
  "several that permit": `create policy a on docs using (owner = auth.uid()); create policy b on docs for select using (is_public)`,
  "one that restricts": `create policy a on docs using (true); create policy b on docs as restrictive using (mood = 'good')`,
  "only ones that restrict": "create policy b on docs as restrictive using (true)",
  "a restriction for a role": `create policy a on docs using (true); create policy b on docs as restrictive to seeing_editor using (is_public)`,
  claims: `create policy p on docs using (org = (auth.jwt() ->> 'org')::int)`,
  "claims in depth": `create policy p on docs using (auth.jwt() -> 'app_metadata' -> 'roles' ? 'editor' and (auth.jwt() #>> '{app_metadata,level}')::int > org)`,
  "the role": "create policy p on docs using (auth.role() = 'authenticated')",
  email: "create policy p on docs using (title = auth.email())",
  "in a sub-select": `create policy p on docs using (org in (select m.org from members m where m.user_id = auth.uid()))`,
  "exists, with conditions": `create policy p on docs using (exists (select from members m join orgs o on o.id = m.org where m.org = docs.org and m.user_id = auth.uid() and (o.is_open or m.role = 'admin')))`,
  "not exists": `create policy p on docs using (not exists (select from orgs o where o.id = docs.org and o.owner = auth.uid()))`,
  "a security definer function": "create policy p on docs using (is_member(org))",
  "a function of the whole row": "create policy p on docs using (whole_row_has(docs.*))",
  "a function that fails": "create policy p on docs using (explode(id))",
  "a function that fails for some": "create policy p on docs using (case when org = 2 then explode(id) else true end)",
  "a function not everybody may call": "create policy p on docs using (is_public or secret_rule())",
  "a clock": "create policy p on docs using (seen_at > now() - interval '1 day')",
  "a computed column": "create policy p on docs using (shout like 'OPEN%')",
  "an array": "create policy p on docs using (auth.uid()::text = any (tags))",
  "a domain and a pattern": "create policy p on docs using (title ilike 'OPEN%')",
  "a table nobody may read": "create policy p on docs using (org in (select s.org from hidden_orgs s))",
};

let engine: Engine;
beforeAll(async () => {
  engine = await openEngine({
    sql: `${schema}; create table hidden_orgs (org int); insert into hidden_orgs values (1)`,
  });
});
afterAll(async () => {
  await engine.close();
  await dropRoles("seeing_owner", "seeing_editor", "seeing_reader");
});

const docs = `
  drop table if exists docs;
  create table docs (
    id int primary key, gone text, owner uuid, org int, title title, is_public boolean, mood mood, tags text[],
    seen_at timestamptz, secret text, shout text generated always as (upper(title)) stored
  );
  alter table docs drop column gone;
  grant select on docs to anon, authenticated, seeing_owner, seeing_reader, service_role;
  insert into docs
  select n, (array['${ann}', '${ben}', null])[n % 3 + 1]::uuid, n % 4, (array['open "x"', 'shut, \\y', 'ann@example.com', null])[n % 4 + 1],
    (array[true, false, null])[n % 3 + 1], (array['good', 'bad'])[n % 2 + 1]::mood,
    case n % 3 when 0 then array['${ann}', 'b,"c'] when 1 then array[]::text[] end, now() - n * interval '3 hours', 'x'
  from generate_series(1, 24) n;
  alter table docs owner to seeing_owner;
  alter table docs enable row level security;
`;

describe("R02 what is seen is what PostgreSQL shows", () => {
  for (const [kind, policy] of Object.entries(kinds)) {
    for (const force of ["", "alter table docs force row level security"]) {
      it(`${kind}${force === "" ? "" : ", the owner too"}`, async () => {
        await engine.sql(`${docs}; ${policy}; ${force}`);
        const relation = await engine.relation("docs");
        await engine.policies.prepare([relation]);
        const images = await engine.images("docs", relation);
        const id = relation.indexOf("id");
        for (const [name, who] of Object.entries(callers)) {
          const group = engine.policies.groupOf(relation, who);
          // Twice: what was learned by the first must not change the answer.
          for (const _ of [1, 2]) {
            const seen = await group.sees(images);
            const ids = images.filter((_, at) => seen[at]).map((row) => row[id]!);
            expect([name, ids.map(Number)]).toEqual([name, ((await engine.selected("docs", who)) ?? []).map(Number)]);
          }
        }
      });
    }
  }
});
