import { randomUUID } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type BootedApp, boot } from "@mainstay/testing";
import { createClient, type SupabaseClient } from "@supabase/supabase-js";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { paintSky } from "./demo/picture.ts";
import config from "./mainstay.config.ts";

const here = import.meta.dirname;
const [lisbon, porto] = [2267057, 2735943];
const png = { contentType: "image/png" };
const picture = paintSky(60, 40, [250, 190, 90], [180, 70, 15]);

let app: BootedApp;
beforeAll(async () => {
  const migrations = readdirSync(join(here, "migrations")).sort();
  app = await boot({
    sql: [
      'set search_path to "$user", public, extensions;',
      ...migrations.map((name) => readFileSync(join(here, "migrations", name), "utf8")),
      `insert into places (id, name, country_code, feature_code, lat, lng) values
         (${lisbon}, 'Lisbon', 'PT', 'PPLC', 38.7, -9.1), (${porto}, 'Porto', 'PT', 'PPLA', 41.1, -8.6);`,
    ].join("\n"),
    settings: { auth: { ...config.auth, rateLimits: false, environment: "test" } },
  });
});
afterAll(() => app?.stop());

interface Person {
  readonly id: string;
  readonly token: string;
  readonly roam: SupabaseClient;
}

const anonymous = () =>
  createClient(app.url, app.anonKey, { auth: { persistSession: false, autoRefreshToken: false } });
const service = () =>
  createClient(app.url, app.serviceRoleKey, { auth: { persistSession: false, autoRefreshToken: false } });

async function newcomer(): Promise<Person> {
  const roam = anonymous();
  const { data, error } = await roam.auth.signUp({ email: `${randomUUID()}@roam.example`, password: randomUUID() });
  if (error) throw error;
  return { id: data.user!.id, token: data.session!.access_token, roam };
}

/** What storage says to a refusal: the status of policies is 403, that of what nobody may know of 404. */
const refusal = ({ error }: { error: Error | null }): string | undefined =>
  (error as { statusCode?: string } | null)?.statusCode;
const filesOf = ({ roam }: { roam: SupabaseClient }, bucket: string) => roam.storage.from(bucket);

describe("an avatar", () => {
  const upload = (who: Person, owner = who, bytes = picture) =>
    filesOf(who, "avatars").upload(`${owner.id}/avatar`, bytes, { ...png, upsert: true, cacheControl: "31536000" });
  const versionOf = async (id: string) =>
    (await anonymous().from("profiles").select("avatar_version").eq("id", id).single().throwOnError()).data
      .avatar_version;

  it("is everybody's to see, its owner's to replace and take down, and gets a new address each time", async () => {
    const ann = await newcomer();
    expect(await versionOf(ann.id)).toBeNull();
    expect((await upload(ann)).error).toBeNull();
    const first = await versionOf(ann.id);
    const { publicUrl } = filesOf({ roam: anonymous() }, "avatars").getPublicUrl(`${ann.id}/avatar`).data;
    const shown = await fetch(`${publicUrl}?v=${first}`);
    expect([shown.status, shown.headers.get("cache-control")]).toEqual([200, "max-age=31536000"]);
    expect(Buffer.from(await shown.arrayBuffer()).equals(picture)).toBe(true);

    const other = paintSky(30, 30, [0, 0, 0], [255, 255, 255]);
    expect((await upload(ann, ann, other)).error).toBeNull();
    expect(await versionOf(ann.id)).toMatch(/^[0-9a-f-]{36}$/);
    expect(await versionOf(ann.id)).not.toBe(first);
    expect(Buffer.from(await (await fetch(publicUrl)).arrayBuffer()).equals(other)).toBe(true);

    expect((await filesOf(ann, "avatars").remove([`${ann.id}/avatar`])).data).toHaveLength(1);
    expect(await versionOf(ann.id)).toBeNull();
    expect((await fetch(publicUrl)).ok).toBe(false);
  });

  it("is nobody else's to set, replace, move or take down, and is at one place only", async () => {
    const [ann, eve] = [await newcomer(), await newcomer()];
    const nobody: Person = { id: "", token: "", roam: anonymous() };
    await upload(ann);
    const before = await versionOf(ann.id);
    for (const who of [eve, nobody]) {
      expect(refusal(await upload(who, ann))).toBe("403");
      expect((await filesOf(who, "avatars").remove([`${ann.id}/avatar`])).data).toEqual([]);
      expect(refusal(await filesOf(who, "avatars").move(`${ann.id}/avatar`, "mine"))).toBe("404");
    }
    for (const name of ["avatar", `${ann.id}/other`, `${ann.id}/avatar/x`, `x/${ann.id}/avatar`]) {
      expect(refusal(await filesOf(ann, "avatars").upload(name, picture, png)), name).toBe("403");
    }
    // To her own place she may not bring what is another's, and nothing of hers goes to another's.
    expect(refusal(await filesOf(eve, "avatars").copy(`${ann.id}/avatar`, `${eve.id}/avatar`))).toBe("404");
    expect(refusal(await filesOf(ann, "avatars").move(`${ann.id}/avatar`, `${eve.id}/avatar`))).toBe("403");
    expect(await versionOf(ann.id)).toBe(before);
    expect(await versionOf(eve.id)).toBeNull();
  });

  it("is a picture of five megabytes at most", async () => {
    const ann = await newcomer();
    const send = (bytes: Uint8Array<ArrayBuffer>, contentType: string) =>
      filesOf(ann, "avatars").upload(`${ann.id}/avatar`, bytes, { contentType });
    expect(refusal(await send(picture, "text/html"))).toBe("415");
    expect(refusal(await send(new Uint8Array(Buffer.from("<svg/>")), "image/png"))).toBe("415");
    const large = new Uint8Array(5_000_001);
    large.set(picture);
    expect(refusal(await send(large, "image/png"))).toBe("413");
    expect(await versionOf(ann.id)).toBeNull();
  });

  it("is shown small, in a format that the browser likes", async () => {
    const ann = await newcomer();
    await upload(ann, ann, paintSky(400, 300, [250, 190, 90], [180, 70, 15]));
    const transform = { width: 96, height: 96 };
    const { publicUrl } = filesOf(ann, "avatars").getPublicUrl(`${ann.id}/avatar`, { transform }).data;
    const shown = await fetch(publicUrl, { headers: { accept: "image/webp,*/*" } });
    expect([shown.status, shown.headers.get("content-type")]).toEqual([200, "image/webp"]);
    expect(shown.headers.get("x-transformations")).toBe("height:96,width:96,resizing_type:fill");
  });

  it("goes with the account", async () => {
    const ann = await newcomer();
    await upload(ann);
    const headers = { apikey: app.anonKey, Authorization: `Bearer ${ann.token}` };
    expect((await fetch(`${app.url}/auth/v1/user`, { method: "DELETE", headers })).ok).toBe(true);
    const { publicUrl } = filesOf(ann, "avatars").getPublicUrl(`${ann.id}/avatar`).data;
    expect((await fetch(publicUrl)).ok).toBe(false);
  });
});

describe("photos of a review", () => {
  let day = 0;
  /** Somebody who was in a place with a host, and has written about it. */
  async function reviewer({ place = lisbon, isBooked = true } = {}): Promise<Person & { readonly review: number }> {
    const [host, guest] = [await newcomer(), await newcomer()];
    day += 1;
    const on = new Date(Date.UTC(2031, 0, day)).toISOString().slice(0, 10);
    const offered = { place_id: lisbon, title: "Walk", starts_at: `${on}T10:00Z`, ends_at: `${on}T11:00Z` };
    const { data: slot } = await host.roam.from("slots").insert(offered).select("id").single().throwOnError();
    if (isBooked) await guest.roam.from("bookings").insert({ slot_id: slot.id }).throwOnError();
    const written = { place_id: place, rating: 5 };
    const { data } = await guest.roam.from("reviews").insert(written).select("id").single().throwOnError();
    return { ...guest, review: data.id };
  }
  const add = (who: { roam: SupabaseClient }, name: string) => filesOf(who, "review-photos").upload(name, picture, png);
  const photosOf = async (review: number) =>
    (await anonymous().from("review_photos").select("name").eq("review_id", review).order("name").throwOnError()).data;

  it("are added by the guest who wrote it, seen and listed by everybody, and come with it", async () => {
    const ann = await reviewer();
    for (const name of ["b.png", "a.png"]) expect((await add(ann, `${ann.review}/${name}`)).error).toBeNull();
    const nobody = filesOf({ roam: anonymous() }, "review-photos");
    const listed = await nobody.list(`${ann.review}`);
    expect(listed.data?.map(({ name }) => name)).toEqual(["a.png", "b.png"]);
    expect(await photosOf(ann.review)).toEqual([{ name: `${ann.review}/a.png` }, { name: `${ann.review}/b.png` }]);
    expect((await nobody.download(`${ann.review}/a.png`)).data?.size).toBe(picture.length);
  });

  it("take a booking in that place, and the review of oneself", async () => {
    const [ann, unbooked, elsewhere] = [
      await reviewer(),
      await reviewer({ isBooked: false }),
      await reviewer({ place: porto }),
    ];
    expect(refusal(await add(unbooked, `${unbooked.review}/a.png`))).toBe("403");
    expect(refusal(await add(elsewhere, `${elsewhere.review}/a.png`))).toBe("403");
    const other = await reviewer();
    for (const who of [other, unbooked, { roam: anonymous() }]) {
      expect(refusal(await add(who, `${ann.review}/forged.png`))).toBe("403");
    }
    for (const name of ["a.png", `${ann.review}/deep/a.png`, `0${ann.review}/a.png`, "99999999/a.png"]) {
      expect(refusal(await add(ann, name)), name).toBe("403");
    }
    expect(await photosOf(ann.review)).toEqual([]);
  });

  it("are never replaced, and taken off by their author alone", async () => {
    const [ann, eve] = [await reviewer(), await reviewer()];
    const name = `${ann.review}/a.png`;
    await add(ann, name);
    expect(refusal(await add(ann, name))).toBe("409");
    const files = filesOf(ann, "review-photos");
    expect(refusal(await files.upload(name, picture, { ...png, upsert: true }))).toBe("403");
    expect(refusal(await filesOf(eve, "review-photos").move(name, `${eve.review}/a.png`))).toBe("403");
    expect((await filesOf(eve, "review-photos").remove([name])).data).toEqual([]);
    expect(await photosOf(ann.review)).toHaveLength(1);
    expect((await files.remove([name])).data).toHaveLength(1);
    expect(await photosOf(ann.review)).toEqual([]);
  });

  it("go with the review", async () => {
    const ann = await reviewer();
    await add(ann, `${ann.review}/a.png`);
    await ann.roam.from("reviews").delete().eq("id", ann.review).throwOnError();
    const { data } = await filesOf({ roam: anonymous() }, "review-photos").list(`${ann.review}`);
    expect(data).toEqual([]);
    expect(await app.sql("select from storage.objects where name like $1", [`${ann.review}/%`])).toHaveLength(0);
  });
});

describe("an identity document", () => {
  const bucket = "identity-documents";
  const handIn = (who: Person, name = `${who.id}/passport.png`) => filesOf(who, bucket).upload(name, picture, png);
  async function documented(): Promise<{ readonly owner: Person; readonly path: string }> {
    const owner = await newcomer();
    expect((await handIn(owner)).error).toBeNull();
    return { owner, path: `${owner.id}/passport.png` };
  }

  it("is read by its owner and by reviewers, for as long as they are reviewers", async () => {
    const [{ owner, path }, checker] = [await documented(), await newcomer()];
    expect(refusal(await filesOf(checker, bucket).createSignedUrl(path, 60))).toBe("404");
    await app.sql("insert into private.reviewers (user_id) values ($1)", [checker.id]);
    for (const who of [owner, checker]) {
      expect((await filesOf(who, bucket).download(path)).data?.size).toBe(picture.length);
      expect((await filesOf(who, bucket).list(owner.id)).data).toHaveLength(1);
    }
    await app.sql("delete from private.reviewers where user_id = $1", [checker.id]);
    expect(refusal(await filesOf(checker, bucket).createSignedUrl(path, 60))).toBe("404");
    expect((await filesOf(checker, bucket).list(owner.id)).data).toEqual([]);
  });

  it("S14 is not there for anybody else, in no way", async () => {
    const [{ owner, path }, eve] = [await documented(), await newcomer()];
    for (const who of [eve, { roam: anonymous() }]) {
      const files = filesOf(who, bucket);
      const absent = `${owner.id}/nothing.png`;
      for (const name of [path, absent]) {
        expect(refusal(await files.createSignedUrl(name, 60))).toBe("404");
        expect(refusal(await files.info(name))).toBe("404");
        expect((await files.remove([name])).data).toEqual([]);
        expect(refusal(await files.copy(name, `${owner.id}/copy.png`))).toBe("404");
      }
      expect((await files.list(owner.id)).data).toEqual([]);
      expect((await files.list()).data).toEqual([]);
      const answers = await Promise.all(
        [path, absent].flatMap((name) =>
          ["object/authenticated", "object", "object/public", "render/image/authenticated", "render/image/public"].map(
            async (route) => {
              const reply = await fetch(`${app.url}/storage/v1/${route}/${bucket}/${name}`, {
                headers: { apikey: app.anonKey, ...("token" in who && { authorization: `Bearer ${who.token}` }) },
              });
              return `${reply.ok} ${await reply.text()}`;
            },
          ),
        ),
      );
      expect(answers.every((answer) => answer.startsWith("false"))).toBe(true);
      // What is there and what is not are answered alike.
      expect(answers.slice(0, 5)).toEqual(answers.slice(5));
    }
    expect((await filesOf(owner, bucket).download(path)).error).toBeNull();
  });

  it("S02 is shown by a link for a minute, which opens nothing else and nothing other", async () => {
    const { owner, path } = await documented();
    await handIn(owner, `${owner.id}/licence.png`);
    const { data } = await filesOf(owner, bucket).createSignedUrl(path, 60);
    const reply = await fetch(data!.signedUrl);
    expect(reply.status).toBe(200);
    expect(reply.headers.get("cache-control")).toMatch(/^private/);
    const leftMs = Date.parse(reply.headers.get("expires") ?? "") - Date.now();
    expect(leftMs).toBeLessThanOrEqual(60_000);
    for (const [from, to] of [
      ["passport", "licence"],
      ["/object/sign/", "/object/upload/sign/"],
      ["/object/sign/", "/render/image/sign/"],
    ] as const) {
      expect((await fetch(data!.signedUrl.replace(from, to))).ok, to).toBe(false);
    }
    expect((await fetch(data!.signedUrl, { method: "PUT", body: "x" })).ok).toBe(false);
  });

  it("is handed in by whom it is of, with a complete account, and never changed", async () => {
    const [{ owner, path }, eve] = [await documented(), await newcomer()];
    expect(refusal(await handIn(eve, `${owner.id}/forged.png`))).toBe("403");
    expect(refusal(await handIn(eve, "passport.png"))).toBe("403");
    const files = filesOf(owner, bucket);
    expect(refusal(await handIn(owner))).toBe("409");
    expect(refusal(await files.update(path, picture, png))).toBe("403");
    expect(refusal(await files.move(path, `${owner.id}/other.png`))).toBe("403");
    const roam = anonymous();
    const { data } = await roam.auth.signInAnonymously();
    const nameless: Person = { id: data.user!.id, token: data.session!.access_token, roam };
    expect(refusal(await handIn(nameless))).toBe("403");
    // A reviewer looks and removes, and hands in nothing for others.
    await app.sql("insert into private.reviewers (user_id) values ($1)", [eve.id]);
    expect(refusal(await handIn(eve, `${owner.id}/planted.png`))).toBe("403");
    expect((await filesOf(eve, bucket).remove([path])).data).toHaveLength(1);
    expect((await filesOf({ roam: service() }, bucket).list(owner.id)).data).toEqual([]);
  });
});
