/** The files of a new project. Short, and each a real beginning: a newcomer reads them before any documentation. */

const settingsNote =
  "/** Every setting has a default. `mainstay config show` lists them all, with where each value comes from. */";

/** Beside a `supabase/` folder its config.toml has the settings; what is here would stand over them. */
export const configFile = (name: string, layout: "mainstay" | "supabase"): string =>
  layout === "supabase"
    ? `${settingsNote}
export default {};
`
    : `${settingsNote}
export default {
  auth: {
    // What mails and authenticator apps call your app.
    mailFromName: ${JSON.stringify(name)},
    // Where links in mails and sign-ins with a provider may lead besides the site URL: your app's own scheme, a second site.
    // redirectAllowList: ["myapp://**"],
    // Accounts without an address, which people can complete later.
    // anonymousEnabled: true,
  },
};
`;

export const initMigration = `-- Two tables and who may see them. Change it freely until it is applied; from then on, add files:
--   mainstay migrate new <name>

create table public.lists (
  id uuid primary key default gen_random_uuid(),
  owner_id uuid not null default auth.uid(),
  title text not null check (length(title) between 1 and 200),
  is_public boolean not null default false,
  created_at timestamptz not null default now()
);

create table public.items (
  id uuid primary key default gen_random_uuid(),
  list_id uuid not null references public.lists (id) on delete cascade,
  body text not null check (length(body) between 1 and 2000),
  is_done boolean not null default false,
  created_at timestamptz not null default now()
);

-- Every column a policy compares has an index: policies run for every row that is looked at.
create index on public.lists (owner_id);
create index on public.lists (is_public) where is_public;
create index on public.items (list_id);

-- Nothing is visible until a policy says so.
alter table public.lists enable row level security;
alter table public.items enable row level security;

-- "(select auth.uid())" is worked out once per request, "auth.uid()" once per row.
create policy "public lists are for everybody" on public.lists
  for select to anon, authenticated using (is_public);
create policy "owners do as they like" on public.lists
  for all to authenticated using (owner_id = (select auth.uid())) with check (owner_id = (select auth.uid()));

-- Items are as visible as their list: the inner query is filtered by the policies of lists.
create policy "items show with their list" on public.items
  for select to anon, authenticated using (list_id in (select id from public.lists));
create policy "items belong to the owner of their list" on public.items
  for all to authenticated
  using (list_id in (select id from public.lists where owner_id = (select auth.uid())))
  with check (list_id in (select id from public.lists where owner_id = (select auth.uid())));
`;

export const seedFile = `-- Runs once, on the first start. A seed that fails never keeps the server from starting.
insert into public.lists (id, owner_id, title, is_public) values
  ('00000000-0000-4000-8000-000000000001', '00000000-0000-4000-8000-0000000000aa', 'Things to try', true)
on conflict do nothing;

insert into public.items (id, list_id, body) values
  ('00000000-0000-4000-8000-000000000011', '00000000-0000-4000-8000-000000000001', 'Read this list without signing in'),
  ('00000000-0000-4000-8000-000000000012', '00000000-0000-4000-8000-000000000001', 'Sign up, and make a list of your own'),
  ('00000000-0000-4000-8000-000000000013', '00000000-0000-4000-8000-000000000001', 'Try to read somebody else''s list: nothing comes')
on conflict do nothing;
`;

export const envExample = `# Copy to .env (never committed) and set what you need. Everything has a default.

# MAINSTAY_PORT=54321
# MAINSTAY_HOST=127.0.0.1          # 0.0.0.0 serves beyond this machine

# Use a PostgreSQL of yours (15 or newer) in place of the embedded one:
# DATABASE_URL=postgres://user:password@host:5432/database
# MAINSTAY_MASTER_KEY=             # with it, and for several servers: openssl rand -base64 32

# Keys are made on the first start and kept in .mainstay/. Set one only to bring it from elsewhere (32 characters or more):
# JWT_SECRET=

# Before others use it: where apps reach this server, and where links in mails lead.
# MAINSTAY_PUBLIC_URL=https://api.example.com
# MAINSTAY_SITE_URL=https://app.example.com
# MAINSTAY_TRUSTED_PROXIES=loopback

# Mails. Without a mail server none leaves, and addresses count as confirmed; while you develop they are at /inbox.
# MAINSTAY_SMTP_HOST=smtp.example.com
# MAINSTAY_SMTP_USER=
# MAINSTAY_SMTP_PASSWORD=
# MAINSTAY_SMTP_FROM=no-reply@example.com

# Sign-in with a provider: tell it <public URL>/auth/v1/callback.
# MAINSTAY_OAUTH_GOOGLE_ENABLED=true
# MAINSTAY_OAUTH_GOOGLE_CLIENT_ID=
# MAINSTAY_OAUTH_GOOGLE_SECRET=

# Sign-in with a phone number, and a number with a fixed code for those who review the app in a store.
# MAINSTAY_PHONE_SIGNIN=true
# MAINSTAY_SMS_PROVIDER=twilio
# MAINSTAY_SMS_ALLOWED_COUNTRIES=DE,AT,CH
# MAINSTAY_SMS_TEST_OTP=16505550100=123456
# MAINSTAY_SMS_TEST_OTP_VALID_UNTIL=2027-01-31

# \`mainstay doctor\` says what is missing.
`;

export const gitignore = ["node_modules/", ".mainstay/", ".env", ".env.local", "functions/.env"];

/** For editors: what the checker knows of functions is written into the cache by `dev`. */
export const functionsTsconfig = `${JSON.stringify({ extends: "../.mainstay/cache/functions/tsconfig.json" }, null, 2)}\n`;

export const readme = (name: string, layout: "mainstay" | "supabase"): string => {
  const base = layout === "supabase" ? "supabase/" : "";
  return `# ${name}

The backend of an app, served by Mainstay.

\`\`\`sh
mainstay dev        # database, migrations, seed, API; prints the URL and the keys
mainstay types --output database.types.ts
mainstay doctor     # when something is not as it should be
\`\`\`

In a clone of Mainstay the command is \`npx mainstay\`, with \`--dir\` and this folder.

| file | what it is |
|---|---|
| \`${base}migrations/\` | schema and policies: plain SQL, applied in order, never edited once applied |
| \`${base}seed.sql\` | first rows |
| \`${base}functions/\` | your own code: endpoints, jobs, schedules, reactions to changes; its secrets in \`${base}functions/.env\` |
| \`${base}templates/\` | mails in your own words, if you like: \`confirmation.html\`, \`magic_link.html\` … |
| \`mainstay.config.ts\` | settings; every one has a default |
| \`.env\` | secrets, never committed; \`.env.example\` shows what there is |
| \`.mainstay/\` | the database's files and the keys: back it up, never commit it |
`;
};

/** Says that TypeScript here is ES modules, and no more: Mainstay is not a dependency of the app. */
export const packageManifest = (name: string): string =>
  `${JSON.stringify(
    {
      name,
      private: true,
      type: "module",
    },
    null,
    2,
  )}\n`;
