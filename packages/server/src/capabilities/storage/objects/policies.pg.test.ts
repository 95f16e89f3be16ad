import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Principal } from "../../../kernel/principal.ts";
import { sqlStateOf } from "../../../platform/postgres/sql-state.ts";
import type { Operation } from "../types.ts";
import { openTestRows, order, principal, type TestRows } from "./testing.ts";

/**
 * Policies as apps of Supabase have them (its documentation and public repositories, in words of our own), each asked through us and of
 * PostgreSQL itself. Either must be heard to allow something and to refuse something.
 */
const ann = principal("authenticated", "11111111-1111-4111-8111-111111111111", {
  email: "ann@example.com",
  app_metadata: { role: "admin", orgs: ["acme"] },
  user_metadata: { plan: "pro" },
  aal: "aal2",
});
const ben = principal("authenticated", "22222222-2222-4222-8222-222222222222", { email: "ben@elsewhere.org" });
const guest = principal("authenticated", "33333333-3333-4333-8333-333333333333", { is_anonymous: true });
const anon = principal("anon");
const service = principal("service_role");
const firebase = principal("authenticated", "firebase|abc");
const callers: Readonly<Record<string, Principal>> = { ann, ben, guest, anon, service, firebase };

const setUp = `
  insert into storage.buckets (id, name, public) values ('avatars', 'avatars', true), ('docs', 'docs', false), ('cats', 'cats', false);
  create role reviewer nologin; grant reviewer to authenticator;
  create table public.members (org text, user_id uuid, role text);
  insert into public.members values ('acme', '${ann.subject}', 'owner'), ('acme', '${ben.subject}', 'viewer');
  create table public.profiles (id uuid primary key, avatar_path text);
  insert into public.profiles values ('${ben.subject}', 'acme/1.txt');
  grant select on public.members, public.profiles to authenticated, anon;
  create table public.secrets (user_id uuid); revoke all on public.secrets from authenticated; insert into public.secrets values ('${ben.subject}');
  create function public.is_member(wanted text) returns boolean language sql stable security definer as
    $f$ select exists (select from members where org = wanted and user_id = auth.uid()) $f$;
  create function public.quota_left() returns boolean language plpgsql stable security definer as
    $f$ begin return (select count(*) from storage.objects where owner_id = auth.uid()::text) < 3; end $f$;`;

const names = [
  `${ann.subject}/me.png`,
  `${ben.subject}/me.jpg`,
  "acme/1.txt",
  "acme/report.pdf",
  "private/a.txt",
  "public/favicon.ico",
  "root.jpg",
  "a/b/c/deep.jpg",
];

/** Each: for which command, and the expression. */
const policies: readonly (readonly [
  name: string,
  kind: "insert" | "select" | "all",
  expression: string,
  to?: string,
])[] = [
  ["own folder", "insert", "bucket_id = 'avatars' and (storage.foldername(name))[1] = auth.uid()::text"],
  [
    "own folder, asked once",
    "all",
    "bucket_id = 'avatars' and (storage.foldername(name))[1] = (select auth.uid())::text",
  ],
  ["own folder, the other way round", "insert", "auth.uid()::text = (storage.foldername(name))[1]"],
  ["owner", "select", "(select auth.uid()) = owner"],
  ["owner_id by the token", "select", "owner_id = (select auth.jwt() ->> 'sub')"],
  ["owner_id by the old claims", "select", "owner_id = current_setting('request.jwt.claims', true)::json ->> 'sub'"],
  ["owner_id by one claim", "insert", "owner_id = current_setting('request.jwt.claim.sub', true)"],
  ["one bucket for everybody", "select", "bucket_id = 'avatars'", "public"],
  ["signed in, by role function", "insert", "bucket_id = 'docs' and auth.role() = 'authenticated'", "public"],
  ["not by guests", "insert", "(auth.jwt() ->> 'is_anonymous')::boolean is not true", "authenticated"],
  ["anonymous callers only", "insert", "bucket_id = 'avatars' and (storage.foldername(name))[1] = 'public'", "anon"],
  ["pictures by their extension", "insert", "bucket_id = 'cats' and storage.extension(name) = 'png'"],
  ["one of several extensions", "insert", "lower(storage.extension(name)) in ('jpg', 'jpeg', 'png')"],
  ["a file by its name", "select", "storage.filename(name) = 'favicon.ico'", "public"],
  ["a folder by its name", "insert", "(storage.foldername(name))[1] = 'private'"],
  ["no folders at all", "insert", "storage.foldername(name) = '{}'"],
  ["depth", "insert", "array_length(storage.foldername(name), 1) <= 1"],
  ["path tokens", "select", "path_tokens[1] = 'acme'"],
  ["names that begin alike", "select", "name like 'acme/%'", "public"],
  ["names by pattern", "insert", "name ~ '^[a-z]+/[a-z0-9.]+$'"],
  [
    "members of an organisation",
    "select",
    "exists (select 1 from public.members m where m.user_id = auth.uid() and m.org = (storage.foldername(objects.name))[1])",
  ],
  [
    "members with a role",
    "insert",
    "(storage.foldername(name))[1] in (select org from public.members where user_id = auth.uid() and role in ('owner', 'editor'))",
  ],
  ["members by a function that finds its table itself", "all", "is_member((storage.foldername(name))[1])"],
  [
    "a path kept in a table",
    "select",
    "exists (select 1 from public.profiles p where p.id = (select auth.uid()) and p.avatar_path = name)",
  ],
  ["a claim of the app", "all", "(auth.jwt() -> 'app_metadata' ->> 'role') = 'admin'"],
  ["a claim with a list", "select", "(auth.jwt() -> 'app_metadata' -> 'orgs') ? (storage.foldername(name))[1]"],
  ["a claim of the user", "insert", "(auth.jwt() -> 'user_metadata' ->> 'plan') = 'pro'"],
  ["an address of the company", "all", "(auth.jwt() ->> 'email') like '%@example.com'"],
  ["the second factor", "select", "(select auth.jwt() ->> 'aal') = 'aal2'"],
  ["size", "insert", "(metadata ->> 'size')::bigint < 100"],
  ["size as it was announced", "insert", "(metadata ->> 'contentLength')::int <= 100"],
  ["type", "insert", "metadata ->> 'mimetype' like 'image/%'"],
  ["type, and where", "insert", "metadata ->> 'mimetype' = 'text/plain' and bucket_id = 'docs'"],
  ["what the user says of it", "insert", "user_metadata ->> 'department' = 'engineering'"],
  ["uploads only", "insert", "storage.allow_only_operation('object.upload') and bucket_id = 'docs'"],
  ["lists only", "select", "storage.allow_only_operation('storage.object.list')", "public"],
  [
    "lists and downloads",
    "select",
    "storage.allow_any_operation(array['object.list', 'storage.object.get_authenticated'])",
    "public",
  ],
  ["the operation as text", "select", "storage.operation() = 'storage.object.get_authenticated'", "public"],
  ["how many files", "insert", "quota_left()"],
  [
    "every row of the caller's, and new ones only in docs",
    "all",
    "owner_id = (select auth.uid())::text and bucket_id in ('docs', 'cats')",
  ],
];

let rows: TestRows;
beforeAll(async () => {
  rows = await openTestRows(setUp);
  for (const [at, name] of names.entries()) {
    const bucket = ["avatars", "docs"][at % 2]!;
    await rows.objects.write(
      order(service, bucket, name, { ownerId: [ann, ben][at % 2]!.subject }),
      await rows.received(),
    );
  }
});
afterAll(() => rows.close());

/** PostgreSQL's own verdict on one statement of the caller's, which is undone. */
async function verdict(
  who: Principal,
  operation: string,
  text: string,
  values: readonly unknown[],
): Promise<string | number> {
  await rows.sql("begin");
  try {
    await rows.sql("select set_config('search_path', 'public, extensions', true)");
    await rows.sql(
      `select set_config('request.jwt.claims', $1, true), set_config('request.jwt.claim.sub', $2, true),
        set_config('request.jwt.claim.role', $3, true), set_config('storage.operation', $4, true), set_config('role', $3, true)`,
      [who.claimsJson, who.subject ?? "", who.role, operation],
    );
    return (await rows.sql(text, values)).length;
  } catch (error) {
    return sqlStateOf(error) ?? String(error);
  } finally {
    await rows.sql("rollback");
  }
}

/** What we call SQLSTATEs: a policy that makes a UUID of a subject that is none fails, here as there. */
const codes: Readonly<Record<string | number, string>> = { "42501": "AccessDenied", "22P02": "InvalidRequest" };

const uploads = [
  { name: `${ann.subject}/new.png`, bucketId: "avatars", contentType: "image/png", sizeBytes: 10 },
  { name: `${ben.subject}/new.jpg`, bucketId: "docs", contentType: "text/plain", sizeBytes: 1_000 },
  { name: "acme/new.txt", bucketId: "docs", contentType: "text/plain", sizeBytes: 10 },
  { name: "private/new.png", bucketId: "cats", contentType: "image/png", sizeBytes: 99 },
  { name: "new.jpg", bucketId: "cats", contentType: "image/jpeg", sizeBytes: 101 },
  { name: "public/deep/er/new.JPG", bucketId: "avatars", contentType: "application/pdf", sizeBytes: 100 },
  { name: "public/new", bucketId: "avatars", contentType: "text/plain", sizeBytes: 1 },
];

describe("a policy", () => {
  test.each(policies)("of the kind: %s", async (title, kind, expression, to = "authenticated") => {
    const clause =
      kind === "insert"
        ? `with check (${expression})`
        : kind === "select"
          ? `using (${expression})`
          : `using (${expression}) with check (${expression})`;
    await rows.sql(`create policy tried on storage.objects for ${kind} to ${to} ${clause}`);
    const seen = new Set<boolean>();
    try {
      for (const who of Object.values(callers)) {
        if (kind !== "select") {
          for (const [at, upload] of uploads.entries()) {
            const userMetadata = at % 2 === 0 ? { department: "engineering" } : null;
            const operation = at % 3 === 0 ? "storage.object.upload_update" : "storage.object.upload";
            const wanted = order(who, upload.bucketId, upload.name, { ...upload, userMetadata, operation });
            const metadata = { size: upload.sizeBytes, contentLength: upload.sizeBytes, mimetype: upload.contentType };
            const own = await verdict(
              who,
              operation,
              `insert into storage.objects (bucket_id, name, owner, owner_id, metadata, user_metadata)
               values ($1, $2, case when $3 ~ '^[0-9a-f-]{36}$' then $3::uuid end, $3, $4, $5)`,
              [upload.bucketId, upload.name, who.subject, metadata, userMetadata],
            );
            const ours = await rows.objects.mayWrite(wanted).then(
              () => 0,
              (error: { code: string }) => error.code,
            );
            const said = `${title}: ${JSON.stringify(who.claims)} ${upload.name}`;
            expect([ours, said]).toEqual([codes[own] ?? own, said]);
            if (who.role !== "service_role") seen.add(ours === 0);
            if (at % 3 === 2) {
              const written = rows.objects.write(
                { ...wanted, name: `${upload.name}${randomUUID()}` },
                await rows.received(upload.sizeBytes),
              );
              const code = await written.then(
                () => "ok",
                (error: { code: string }) => error.code,
              );
              if (code === "ok")
                await rows.sql("delete from storage.objects where name like $1", [`${upload.name}%-%`]);
            }
          }
        }
        if (kind !== "insert") {
          for (const operation of [
            "storage.object.list",
            "storage.object.get_authenticated",
            "storage.object.sign",
          ] satisfies Operation[]) {
            for (const [at, name] of names.entries()) {
              const bucketId = ["avatars", "docs"][at % 2]!;
              const own = await verdict(
                who,
                operation,
                "select from storage.objects where bucket_id = $1 and name = $2",
                [bucketId, name],
              );
              const ours = await rows.objects.find(who, bucketId, name, operation).then(
                (object) => (object === null ? 0 : 1),
                (error: { code: string }) => error.code,
              );
              const said = `${title}: ${JSON.stringify(who.claims)} ${name}`;
              expect([ours, said]).toEqual([codes[own] ?? own, said]);
              if (who.role !== "service_role") seen.add(ours === 1);
            }
          }
        }
      }
      expect([...seen].toSorted()).toEqual([false, true]);
    } finally {
      await rows.sql("drop policy tried on storage.objects");
    }
  });

  test("about the size is not asked before the size is known, and then it is", async () => {
    await rows.sql(
      "create policy tried on storage.objects for insert to authenticated with check ((metadata ->> 'size')::bigint between 5 and 100)",
    );
    const unknown = order(ann, "docs", "sized", { sizeBytes: null });
    // One byte is too few and the largest file too much: neither says what is to come, so the guess is refused, as by PostgreSQL.
    await expect(rows.objects.mayWrite(unknown)).rejects.toMatchObject({ code: "AccessDenied" });
    await rows.sql("alter policy tried on storage.objects with check ((metadata ->> 'size')::bigint <= 100)");
    await rows.objects.mayWrite(unknown);
    const tooMuch = await rows.received(101);
    await expect(rows.objects.write(unknown, tooMuch)).rejects.toMatchObject({ code: "AccessDenied" });
    await rows.objects.write(unknown, await rows.received(100));
    await rows.sql("alter policy tried on storage.objects with check ((metadata ->> 'size')::bigint >= 1000)");
    await rows.objects.mayWrite({ ...unknown, name: "sized-2" });
    await rows.sql("drop policy tried on storage.objects");
  });

  test("that is restrictive takes away what another gives", async () => {
    await rows.sql(`create policy given on storage.objects for insert to authenticated with check (true);
      create policy taken on storage.objects as restrictive for insert to authenticated with check (bucket_id <> 'cats')`);
    await rows.objects.mayWrite(order(ann, "docs", "r"));
    await expect(rows.objects.mayWrite(order(ann, "cats", "r"))).rejects.toMatchObject({ code: "AccessDenied" });
    await rows.sql("drop policy given on storage.objects; drop policy taken on storage.objects");
  });
});

describe("roles", () => {
  const codeOf = (work: Promise<unknown>) =>
    work.then(
      () => "ok",
      (error: { code: string; message: string }) => `${error.code}: ${error.message}`,
    );

  test("of the app's own need grants and policies, and one that is not there is refused", async () => {
    const reviewer = principal("reviewer", ann.subject);
    expect(await codeOf(rows.objects.mayWrite(order(reviewer, "docs", "by-role")))).toMatch(
      /^AccessDenied: permission denied for/,
    );
    await rows.sql(`grant usage on schema storage, auth to reviewer; grant insert on storage.objects to reviewer;
      create policy by_role on storage.objects for insert to reviewer with check (bucket_id = 'docs')`);
    await rows.objects.mayWrite(order(reviewer, "docs", "by-role"));
    // Without SELECT: a row is written that its writer cannot read.
    const written = await rows.objects.write(order(reviewer, "docs", "by-role"), await rows.received());
    expect(written.name).toBe("by-role");
    expect(await codeOf(rows.objects.find(reviewer, "docs", "by-role", "storage.object.get"))).toMatch(/^AccessDenied/);
    expect(await codeOf(rows.objects.mayWrite(order(reviewer, "cats", "by-role")))).toMatch(/^AccessDenied: new row/);
    const nobody = principal("nobody_there");
    expect(await codeOf(rows.objects.mayWrite(order(nobody, "docs", "x")))).toMatch(/^AccessDenied/);
    expect(await codeOf(rows.objects.write(order(nobody, "docs", "x"), await rows.received()))).toMatch(
      /^AccessDenied/,
    );
    // Not every role of the cluster is a caller's: only those the API may become.
    for (const role of ["postgres", "supabase_admin"]) {
      expect(await codeOf(rows.objects.write(order(principal(role), "docs", "x"), await rows.received()))).toMatch(
        /^AccessDenied/,
      );
    }
    expect(await rows.sql("select from storage.objects where name = 'x'")).toEqual([]);
  });

  test("without grants are refused, also under FORCE ROW LEVEL SECURITY", async () => {
    await rows.sql(
      "create policy given on storage.objects for all to authenticated using (true); revoke insert on storage.objects from authenticated",
    );
    expect(await codeOf(rows.objects.mayWrite(order(ann, "docs", "g")))).toMatch(
      /^AccessDenied: permission denied for table objects/,
    );
    await rows.sql(
      "grant insert on storage.objects to authenticated; alter table storage.objects force row level security",
    );
    await rows.objects.write(order(ann, "docs", "forced"), await rows.received());
    await rows.objects.write(order(service, "docs", "forced-2"), await rows.received());
    await rows.sql("drop policy given on storage.objects");
    expect(await codeOf(rows.objects.mayWrite(order(ann, "docs", "forced-3")))).toMatch(/^AccessDenied/);
    await rows.sql("alter table storage.objects no force row level security");
  });

  test("a policy that cannot be worked out, or takes too long, is said to be so", async () => {
    await rows.sql(
      "create policy round on storage.objects for select to authenticated using (exists (select 1 from storage.objects o where o.id = objects.id))",
    );
    expect(await codeOf(rows.objects.find(ann, "docs", "forced", "storage.object.get"))).toMatch(
      /^DatabaseInvalidObjectDefinition/,
    );
    await rows.sql(
      "drop policy round on storage.objects; create policy closed on storage.objects for select to authenticated using (exists (select 1 from public.secrets))",
    );
    expect(await codeOf(rows.objects.find(ann, "docs", "forced", "storage.object.get"))).toMatch(
      /^AccessDenied: permission denied for table secrets/,
    );
    await rows.sql(`drop policy closed on storage.objects; create policy slow on storage.objects for select to authenticated using (pg_sleep(60) is null);
      create or replace function public.noop() returns void language sql as 'select'`);
    expect(await codeOf(rows.objects.find(ann, "docs", "forced", "storage.object.get"))).toMatch(/^DatabaseTimeout/);
    await rows.sql("drop policy slow on storage.objects");
  }, 30_000);
});

describe("triggers of the app", () => {
  const codeOf = (work: Promise<unknown>) =>
    work.then(
      () => "ok",
      (error: { code: string; status: number; message: string }) => [error.code, error.status, error.message],
    );

  test("see the caller, may change the row, and refuse in words of their own", async () => {
    await rows.sql(`
      create table public.uploads (object_id uuid, by_whom uuid);
      grant insert on public.uploads to authenticated, service_role;
      create function public.noted() returns trigger language plpgsql as $f$
        begin insert into public.uploads values (new.id, auth.uid()); return new; end $f$;
      create trigger noted after insert on storage.objects for each row execute function public.noted();
      create function public.checked() returns trigger language plpgsql as $f$
        begin
          if new.name like 'refused%' then raise exception 'No more than ten files'; end if;
          if new.name like 'stated%' then raise sqlstate 'PT402' using message = 'Pay first'; end if;
          if new.name like 'vanish%' then return null; end if;
          if new.name like 'stolen%' then new.version := (select v.id from mainstay.object_versions v where v.state = 'kept' limit 1); end if;
          new.user_metadata := coalesce(new.user_metadata, '{}') || '{"checked": true}';
          return new;
        end $f$;
      create trigger checked before insert on storage.objects for each row execute function public.checked();
      create policy given on storage.objects for all to authenticated using (true)`);
    const object = await rows.objects.write(order(ann, "docs", "noted"), await rows.received());
    expect(object.userMetadata).toEqual({ checked: true });
    expect(await rows.sql("select * from public.uploads")).toEqual([{ object_id: object.id, by_whom: ann.subject }]);

    for (const [name, refusal] of [
      ["refused", ["InvalidRequest", 400, "No more than ten files"]],
      ["stated", ["InvalidRequest", 402, "Pay first"]],
    ] as const) {
      const written = await rows.received();
      expect(await codeOf(rows.objects.mayWrite(order(ann, "docs", name)))).toEqual(refusal);
      expect(await codeOf(rows.objects.write(order(ann, "docs", name), written))).toEqual(refusal);
      expect(await rows.sql("select state from mainstay.object_versions where id = $1", [written.version])).toEqual([
        { state: "receiving" },
      ]);
    }
    const vanished = await rows.received();
    expect(await codeOf(rows.objects.write(order(ann, "docs", "vanish"), vanished))).toMatchObject([
      "AccessDenied",
      403,
      expect.stringContaining("trigger"),
    ]);
    expect(await rows.sql("select state from mainstay.object_versions where id = $1", [vanished.version])).toEqual([
      { state: "receiving" },
    ]);
    expect(await codeOf(rows.objects.write(order(service, "docs", "stolen"), await rows.received()))).toMatchObject([
      "AccessDenied",
      403,
      expect.any(String),
    ]);
    expect(await rows.sql("select name from storage.objects where name ~ '^(refused|stated|vanish|stolen)'")).toEqual(
      [],
    );
    expect(await rows.sql("select from public.uploads")).toHaveLength(1);
    await rows.sql("drop policy given on storage.objects");
  });
});
