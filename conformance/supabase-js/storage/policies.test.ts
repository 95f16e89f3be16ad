import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { mint } from "../app.ts";
import {
  apiError,
  ok,
  type Person,
  png,
  refusals,
  type StorageApp,
  startStorageApp,
  textOf,
  told,
} from "./storage-app.ts";

let app: StorageApp;
let ann: Person;
let ben: Person;
beforeAll(async () => {
  app = await startStorageApp();
  [ann, ben] = [app.person(), app.person()];
});
afterAll(() => app.stop());

const rowsIn = (bucket: string) =>
  app.sql(`select name, owner, owner_id from storage.objects where bucket_id = '${bucket}' order by name`);
/** Bytes that nobody can read and nobody has asked for. */
const versions = async (): Promise<number> => {
  const [row] = await app.sql("select count(*)::int as count from mainstay.object_versions where state = 'kept'");
  return row?.count as number;
};

describe("a folder of one's own", () => {
  it("everything within it, nothing beside it", async () => {
    const mine = ann.storage.from("documents");
    ok(await mine.upload(`${ann.id}/passport.png`, png));
    ok(await mine.update(`${ann.id}/passport.png`, png));
    expect(ok(await mine.list(ann.id)).map(({ name }) => name)).toEqual(["passport.png"]);
    const before = await versions();
    for (const name of [`${ben.id}/x.png`, "x.png", `x/${ann.id}/x.png`, `${ann.id.toUpperCase()}/x.png`, ann.id]) {
      expect(told(await mine.upload(name, png))).toEqual(refusals.denied);
    }
    expect(await versions()).toBe(before);
    const theirs = ben.storage.from("documents");
    expect(told(await theirs.download(`${ann.id}/passport.png`))).toEqual(refusals.noObject);
    expect(told(await theirs.upload(`${ann.id}/passport.png`, "x", { upsert: true }))).toEqual(refusals.denied);
    expect(ok(await theirs.remove([`${ann.id}/passport.png`]))).toEqual([]);
    expect((await theirs.exists(`${ann.id}/passport.png`)).data).toBe(false);
  });

  it("for nobody there is none", async () => {
    expect(told(await app.nobody.from("documents").upload("x", "x"))).toEqual(refusals.denied);
    expect(ok(await app.nobody.from("documents").list())).toEqual([]);
  });

  it("what is there and what is not look the same from outside (S14)", async () => {
    const theirs = ben.storage.from("documents");
    ok(await ann.storage.from("documents").upload(`${ann.id}/there`, "x"));
    const answers = async (name: string) => [
      told(await theirs.download(name)),
      told(await theirs.info(name)),
      told(await theirs.createSignedUrl(name, 60)),
      told(await theirs.move(name, `${ben.id}/x`)),
      told(await theirs.copy(name, `${ben.id}/x`)),
      told(await theirs.upload(name, "x")),
      ok(await theirs.remove([name])),
      (await theirs.exists(name)).data,
    ];
    expect(await answers(`${ann.id}/there`)).toEqual(await answers(`${ann.id}/not-there`));
  });
});

describe("by owner", () => {
  it("owner and owner_id are the token's sub", async () => {
    ok(await ann.storage.from("shared").upload("hers", "x"));
    expect(await rowsIn("shared")).toEqual([{ name: "hers", owner: ann.id, owner_id: ann.id }]);
  });

  it("a sub of another provider's is no UUID, and owns by owner_id", async () => {
    const sub = "auth0|5f0c";
    const { storage } = app.person({ sub });
    // auth.uid() is for UUIDs: such an app compares the claim itself.
    await app.sql(`create policy "Third party: add" on storage.objects for insert to authenticated
      with check (bucket_id = 'closed' and owner_id = (select auth.jwt() ->> 'sub'))`);
    ok(await storage.from("closed").upload("foreign", "x"));
    expect(await rowsIn("closed")).toEqual([{ name: "foreign", owner: null, owner_id: sub }]);
  });

  it("nobody's, by the service", async () => {
    ok(await app.service.from("closed").upload("service", "x"));
    expect((await rowsIn("closed")).at(-1)).toEqual({ name: "service", owner: null, owner_id: null });
  });

  it("what the file's own metadata says counts", async () => {
    const mine = ann.storage.from("shared");
    ok(await mine.upload("for ben", "dear Ben", { metadata: { readers: [ben.id] } }));
    ok(await mine.upload("for nobody", "secret"));
    const theirs = ben.storage.from("shared");
    expect(await textOf(ok(await theirs.download("for ben")))).toBe("dear Ben");
    expect(told(await theirs.download("for nobody"))).toEqual(refusals.noObject);
    expect(ok(await theirs.list()).map(({ name }) => name)).toEqual(["for ben"]);
    // A copy of it would be somebody else's, and so would need more than to be seen.
    expect(told(await theirs.update("for ben", "changed"))).toEqual(refusals.denied);
  });
});

describe("by name", () => {
  it("an extension in a folder, for anybody", async () => {
    const anybody = app.nobody.from("pictures");
    ok(await anybody.upload("public/a.png", png, { contentType: "image/png" }));
    ok(await anybody.upload("Public/deep/b.png", png, { contentType: "image/png" }));
    for (const name of ["public/a.jpg", "a.png", "private/a.png", "public/a.png.gif"]) {
      expect(told(await anybody.upload(name, png, { contentType: "image/png" }))).toEqual(refusals.denied);
    }
    ok(await app.service.from("pictures").upload("public/.hidden.png", png, { contentType: "image/png" }));
    expect(ok(await anybody.list("public")).map(({ name }) => name)).toEqual(["a.png"]);
    expect(told(await anybody.download("public/.hidden.png"))).toEqual(refusals.noObject);
  });
});

describe("a public bucket", () => {
  it("is read by everybody whatever the policies say, and listed as they say", async () => {
    ok(await ann.storage.from("media").upload("film.mp4", Buffer.alloc(10), { contentType: "video/mp4" }));
    const { publicUrl } = app.nobody.from("media").getPublicUrl("film.mp4").data;
    expect((await fetch(publicUrl)).status).toBe(200);
    expect(ok(await app.nobody.from("media").download("film.mp4")).size).toBe(10);
    expect(ok(await app.nobody.from("media").list())).toEqual([]);
    expect(ok(await ben.storage.from("media").list())).toHaveLength(1);
    expect(told(await app.nobody.from("media").upload("x.mp4", "x", { contentType: "video/mp4" }))).toEqual(
      refusals.denied,
    );
  });
});

describe("by claims", () => {
  it("an admin's", async () => {
    const admin = app.person({ app_metadata: { role: "admin" } });
    const reports = admin.storage.from("reports");
    ok(await reports.upload("q1.pdf", "%PDF-1.4", { contentType: "application/pdf" }));
    ok(await reports.move("q1.pdf", "2026/q1.pdf"));
    expect(ok(await reports.list("2026"))).toHaveLength(1);
    for (const { storage } of [ann, app.person({ user_metadata: { role: "admin" } })]) {
      expect(told(await storage.from("reports").upload("x", "x"))).toEqual(refusals.denied);
      expect(ok(await storage.from("reports").list("2026"))).toEqual([]);
    }
    expect(ok(await reports.remove(["2026/q1.pdf"]))).toHaveLength(1);
  });

  it("a role that is not ours to be is refused", async () => {
    for (const role of ["postgres", "supabase_admin", "no_such_role", "pg_read_all_data"]) {
      const token = mint({ sub: randomUUID(), role });
      const { storage } = app.client(undefined, { accessToken: async () => token });
      expect((await storage.from("documents").list()).error).toMatchObject({ name: "StorageApiError" });
      expect((await storage.from("documents").upload("x", "x")).error).toMatchObject({ name: "StorageApiError" });
    }
  });
});

describe("by operation", () => {
  it("what may be read is not what may be listed", async () => {
    const files = ann.storage.from("unlisted");
    ok(await files.upload("a.txt", "a"));
    expect(await textOf(ok(await files.download("a.txt")))).toBe("a");
    expect(ok(await files.info("a.txt")).size).toBe(1);
    expect((await files.exists("a.txt")).data).toBe(true);
    ok(await files.createSignedUrl("a.txt", 60));
    expect(ok(await files.list())).toEqual([]);
    expect(ok(await files.listV2()).objects).toEqual([]);
    expect(ok(await files.createSignedUrls(["a.txt"], 60))[0]?.error).not.toBeNull();
    expect(told(await files.copy("a.txt", "b.txt"))).toEqual(refusals.noObject);
    expect(told(await files.move("a.txt", "b.txt"))).toEqual(refusals.noObject);
    expect(told(await files.update("b.txt", "b"))).toEqual(refusals.denied);
    expect(told(await files.createSignedUploadUrl("b.txt"))).toEqual(refusals.denied);
    expect(ok(await files.remove(["a.txt"]))).toHaveLength(1);
  });
});

describe("triggers and constraints of the app", () => {
  it("speak to its users, and take everything back", async () => {
    await app.sql(`
      create function public.three_files() returns trigger language plpgsql as $$
      begin
        if (select count(*) from storage.objects o where o.bucket_id = 'archive' and o.owner_id = new.owner_id) >= 3 then
          raise exception 'Three files are enough.';
        end if;
        return new;
      end $$;
      create trigger three_files before insert on storage.objects for each row
        when (new.bucket_id = 'archive') execute function public.three_files();`);
    const files = ann.storage.from("archive");
    for (const n of [1, 2, 3]) ok(await files.upload(`${ann.id}/${n}`, "x"));
    const before = await versions();
    expect(told(await files.upload(`${ann.id}/4`, "x"))).toEqual(
      apiError("400", "InvalidRequest", "Three files are enough."),
    );
    expect(await versions()).toBe(before);
  });
});

describe("by header", () => {
  it("of all requests of one client", async () => {
    const { storage } = app.client();
    storage.setHeader("Authorization", `Bearer ${app.serviceRoleKey}`);
    expect(ok(await storage.listBuckets()).length).toBeGreaterThan(0);
    ok(await storage.from("closed").upload("by header", "x"));
    const files = app.client().storage.from("closed").setHeader("Authorization", `Bearer ${app.serviceRoleKey}`);
    expect(await textOf(ok(await files.download("by header")))).toBe("x");
  });
});
