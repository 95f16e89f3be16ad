import { execFile } from "node:child_process";
import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import type { SupabaseClient } from "@supabase/supabase-js";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import seed from "./seed.ts";
import { lisbon, openRoam, type Roam } from "./testing.ts";

const here = import.meta.dirname;
const run = promisify(execFile);

let app: Roam;
const progress: [text: string, done: number, total: number][] = [];

beforeAll(async () => {
  app = await openRoam();
  const client = new pg.Client({ connectionString: app.databaseUrl });
  await client.connect();
  await client.query("begin");
  await seed({ client, progress: (...told) => progress.push(told), signal: new AbortController().signal });
  await client.query("commit; analyze");
  await client.query(readFileSync(join(here, "seeds/people.sql"), "utf8"));
  await client.end();
}, 120_000);
afterAll(() => app?.stop());

const anonymous = () => app.anonymous();
const newcomer = () => app.newcomer();

describe("seed", () => {
  it("brings all places, their credit, and says how far it is", async () => {
    expect(await app.sql("select count(*)::int as places from places")).toEqual([{ places: 135_233 }]);
    expect(await app.sql("select source, licence from attributions")).toEqual([
      { source: "GeoNames", licence: "CC BY 4.0" },
    ]);
    expect(progress[0]).toEqual(["Placing the cities of the world", 0, 135_233]);
    expect(progress.at(-1)).toEqual(["Indexing them", 4, 4]);
  });

  it("leaves the indexes as the migrations made them", async () => {
    const indexes = await app.sql("select indexname from pg_indexes where tablename = 'places' order by 1");
    expect(indexes.map(({ indexname }) => indexname)).toEqual([
      "places_country_population_idx",
      "places_location_idx",
      "places_pkey",
      "places_population_idx",
      "places_search_name_idx",
    ]);
  });

  it("can run again without doubling anything", async () => {
    const client = new pg.Client({ connectionString: app.databaseUrl });
    await client.connect();
    await client.query(readFileSync(join(here, "seeds/people.sql"), "utf8"));
    await client.end();
    expect(await app.sql("select count(*)::int as reviews from reviews")).toEqual([{ reviews: 10 }]);
    expect(await app.sql("select review_count, rating from places where id = 2267057")).toEqual([
      { review_count: 3, rating: "4.67" },
    ]);
  });

  it("lets the demo people sign in", async () => {
    const { data, error } = await anonymous().auth.signInWithPassword({
      email: "ada@roam.example",
      password: "roam-demo-password",
    });
    expect([error, data.user?.user_metadata.username]).toEqual([null, "ada"]);
  });
});

describe("nearby", () => {
  it("walks the index outwards from the point, whoever asks and however wide the circle is", async () => {
    const client = new pg.Client({ connectionString: app.databaseUrl });
    await client.connect();
    await client.query("set role anon; set plan_cache_mode = force_generic_plan; set search_path = public");
    await client.query("prepare nearby(float8, float8, float8, int) as select * from nearby($1, $2, $3, $4)");
    for (const radius of [5_000, 5_000_000]) {
      const { rows } = await client.query(`explain (analyze, format json) execute nearby(48.85, 2.35, ${radius}, 20)`);
      const plan = JSON.stringify(rows[0]["QUERY PLAN"]);
      expect(plan).toContain('"Index Name":"places_location_idx"');
      expect(plan).toContain('"Order By"');
      expect(plan).not.toContain('"Node Type":"Sort"');
    }
    await client.end();
  });

  it("agrees with measuring every place", async () => {
    // Over a pole and over the antimeridian too, where boxes of degrees would be wrong.
    for (const [lat, lng, radius] of [
      [48.85, 2.35, 30_000],
      [-17.5, -179.9, 400_000],
      [78.2, 15.6, 1_500_000],
    ] as const) {
      const { data } = await anonymous().rpc("nearby", { lat, lng, radius_m: radius, max_results: 100 }).throwOnError();
      const slow = await app.sql(
        `select id from (
           select id, extensions.earth_distance(extensions.ll_to_earth(lat, lng), extensions.ll_to_earth(${lat}, ${lng})) as distance from places
         ) measured where distance <= ${radius} order by distance limit 100`,
      );
      expect((data as { id: number }[]).map(({ id }) => id)).toEqual(slow.map(({ id }) => Number(id)));
    }
  });

  it("takes filters and a limit from the caller, and gives at most 100", async () => {
    const around = { lat: 48.85, lng: 2.35, radius_m: 100_000, max_results: 1_000 };
    expect((await anonymous().rpc("nearby", around).throwOnError()).data).toHaveLength(100);
    const { data } = await anonymous().rpc("nearby", around).select("name").gt("population", 1_000_000).throwOnError();
    expect(data).toEqual([{ name: "Paris" }]);
  });
});

describe("search_places", () => {
  it.each([
    ["zurich", "Zürich"],
    ["SAO PAULO", "São Paulo"],
    ["san frncisco", "San Francisco"],
    ["reykj", "Reykjavík"],
  ])("%s finds %s", async (query, name) => {
    const { data } = await anonymous().rpc("search_places", { query, max_results: 3 }).throwOnError();
    expect((data as { name: string }[])[0]?.name).toBe(name);
  });

  it("takes wildcards literally", async () => {
    for (const query of ["%", "_____", "\\"]) {
      expect((await anonymous().rpc("search_places", { query }).throwOnError()).data).toEqual([]);
    }
  });
});

describe("policies", () => {
  it("every table has row level security, and every view runs with its reader's rights", async () => {
    const bare = await app.sql(
      `select relname from pg_class where relnamespace = 'public'::regnamespace and
         (relkind in ('r', 'p') and not relrowsecurity or relkind = 'v' and not 'security_invoker=true' = any (coalesce(reloptions, '{}')))`,
    );
    expect(bare).toEqual([]);
  });

  it("an anonymous caller writes nothing", async () => {
    const roam = anonymous();
    const attempts = [
      roam.from("places").insert({ id: 1, name: "x", country_code: "XX", feature_code: "PPL", lat: 0, lng: 0 }),
      roam.from("reviews").insert({ place_id: lisbon, rating: 1, author_id: "a1000000-0000-4000-8000-000000000001" }),
      roam.from("lists").insert({ title: "x", owner_id: "a1000000-0000-4000-8000-000000000001" }),
      roam.from("bookings").insert({ slot_id: 1, guest_id: "a1000000-0000-4000-8000-000000000001" }),
    ];
    for (const { error } of await Promise.all(attempts)) expect(error?.code).toBe("42501");
    const { data } = await roam.from("reviews").delete().gte("id", 0).select().throwOnError();
    expect(data).toEqual([]);
  });

  it("nobody changes a place's rating but by reviewing", async () => {
    const { roam, id } = await newcomer();
    expect(
      (await roam.from("places").update({ rating_sum: 0 }).eq("id", 3413829).select().throwOnError()).data,
    ).toEqual([]);
    const read = async () =>
      (await roam.from("places").select("review_count, rating_sum").eq("id", 3413829).single().throwOnError()).data;
    const before = await read();
    await roam.from("reviews").insert({ place_id: 3413829, rating: 2 }).throwOnError();
    expect(await read()).toEqual({ review_count: before.review_count + 1, rating_sum: before.rating_sum + 2 });
    await roam.from("reviews").update({ rating: 5 }).eq("author_id", id).throwOnError();
    expect(await read()).toEqual({ review_count: before.review_count + 1, rating_sum: before.rating_sum + 5 });
    await roam.from("reviews").delete().eq("author_id", id).throwOnError();
    expect(await read()).toEqual(before);
  });

  it("a taken or odd user name does not stop a sign-up", async () => {
    for (const username of ["ada", "Robert'); drop table profiles", ""]) {
      const { data, error } = await anonymous().auth.signUp({
        email: `${randomUUID()}@roam.example`,
        password: randomUUID(),
        options: { data: { username } },
      });
      expect(error).toBeNull();
      const { data: profile } = await anonymous()
        .from("profiles")
        .select("username")
        .eq("id", data.user?.id ?? "")
        .single()
        .throwOnError();
      expect(profile.username).toMatch(/^traveller_[0-9a-f]{20}$/);
    }
  });

  it("a private list is its owner's, a shared one its members', and only editors add to it", async () => {
    const [owner, guest, stranger] = [await newcomer(), await newcomer(), await newcomer()];
    const { data: list } = await owner.roam
      .from("lists")
      .insert({ title: "Secret" })
      .select("id")
      .single()
      .throwOnError();
    const seenBy = async ({ roam }: { roam: SupabaseClient }) =>
      (await roam.from("lists").select("id").eq("id", list.id).throwOnError()).data.length;
    const item = (place_id: number) => ({ list_id: list.id, place_id });

    expect([await seenBy(owner), await seenBy(guest), await seenBy(stranger)]).toEqual([1, 0, 0]);
    await owner.roam.from("list_members").insert({ list_id: list.id, member_id: guest.id }).throwOnError();
    expect([await seenBy(owner), await seenBy(guest), await seenBy(stranger)]).toEqual([1, 1, 0]);
    expect((await guest.roam.from("list_items").insert(item(lisbon))).error?.code).toBe("42501");
    expect(
      (
        await guest.roam
          .from("list_members")
          .update({ can_edit: true })
          .eq("member_id", guest.id)
          .select()
          .throwOnError()
      ).data,
    ).toEqual([]);
    await owner.roam.from("list_members").update({ can_edit: true }).eq("member_id", guest.id).throwOnError();
    expect((await guest.roam.from("list_items").insert(item(lisbon))).error).toBeNull();
    expect((await stranger.roam.from("list_items").insert(item(1857910))).error?.code).toBe("42501");
    expect((await stranger.roam.from("list_items").select().eq("list_id", list.id).throwOnError()).data).toEqual([]);
    await owner.roam.from("lists").update({ is_public: true }).eq("id", list.id).throwOnError();
    expect([await seenBy(stranger), await seenBy({ roam: anonymous() })]).toEqual([1, 1]);
  });

  it("of many guests who race for one slot exactly one wins, and it is free again when he cancels", async () => {
    const host = await newcomer();
    const slot = { place_id: lisbon, title: "Tram", starts_at: "2030-01-01T10:00Z", ends_at: "2030-01-01T11:00Z" };
    const { data: offered } = await host.roam.from("slots").insert(slot).select("id").single().throwOnError();
    const guests = await Promise.all(Array.from({ length: 6 }, newcomer));
    const outcomes = await Promise.all(guests.map(({ roam }) => roam.from("bookings").insert({ slot_id: offered.id })));
    expect(outcomes.filter(({ error }) => error === null)).toHaveLength(1);
    expect(outcomes.filter(({ error, status }) => error?.code === "23505" && status === 409)).toHaveLength(5);

    const winner = guests[outcomes.findIndex(({ error }) => error === null)]!;
    const loser = guests[outcomes.findIndex(({ error }) => error !== null)]!;
    const isBooked = async () =>
      (await anonymous().from("slots").select("is_booked").eq("id", offered.id).single().throwOnError()).data.is_booked;
    expect(await isBooked()).toBe(true);
    expect((await loser.roam.from("bookings").select().throwOnError()).data).toEqual([]);
    expect((await host.roam.from("bookings").select("guest_id").throwOnError()).data).toEqual([
      { guest_id: winner.id },
    ]);
    expect((await host.roam.from("slots").delete().eq("id", offered.id).select().throwOnError()).data).toEqual([]);
    await winner.roam.from("bookings").delete().eq("slot_id", offered.id).throwOnError();
    expect(await isBooked()).toBe(false);
  });

  it("a host's hours cannot overlap", async () => {
    const { roam } = await newcomer();
    const slot = (from: string, to: string) => ({
      place_id: lisbon,
      title: "x",
      starts_at: `2030-02-01T${from}Z`,
      ends_at: `2030-02-01T${to}Z`,
    });
    expect((await roam.from("slots").insert(slot("10:00", "12:00"))).error).toBeNull();
    expect((await roam.from("slots").insert(slot("11:00", "13:00"))).error?.code).toBe("23P01");
    expect((await roam.from("slots").insert(slot("12:00", "13:00"))).error).toBeNull();
  });

  it("a conversation is its members': others neither read, write nor join", async () => {
    const [ann, bob, eve] = [await newcomer(), await newcomer(), await newcomer()];
    const { data: talk } = await ann.roam.rpc("start_conversation", { member_ids: [bob.id] }).throwOnError();
    const conversation_id = (talk as { id: string }).id;
    await ann.roam.from("messages").insert({ conversation_id, body: "Hi Bob" }).throwOnError();
    expect((await bob.roam.from("messages").select("body").throwOnError()).data).toEqual([{ body: "Hi Bob" }]);
    expect((await bob.roam.from("conversation_members").select("member_id").throwOnError()).data).toHaveLength(2);

    for (const table of ["conversations", "conversation_members", "messages"]) {
      expect((await eve.roam.from(table).select().throwOnError()).data).toEqual([]);
    }
    expect((await eve.roam.from("messages").insert({ conversation_id, body: "Hi" })).error?.code).toBe("42501");
    expect(
      (await eve.roam.from("conversation_members").insert({ conversation_id, member_id: eve.id })).error?.code,
    ).toBe("42501");
    expect(
      (await bob.roam.from("messages").insert({ conversation_id, body: "forged", sender_id: ann.id })).error?.code,
    ).toBe("42501");
    expect((await bob.roam.from("messages").delete().eq("sender_id", ann.id).select().throwOnError()).data).toEqual([]);

    // Moving one's own membership into a conversation one was not brought into would be joining it.
    const { data: own } = await eve.roam.rpc("start_conversation", { member_ids: [] }).throwOnError();
    const moved = await eve.roam
      .from("conversation_members")
      .update({ conversation_id })
      .eq("conversation_id", (own as { id: string }).id);
    expect(moved.error?.code).toBe("42501");
    expect(
      (await eve.roam.from("conversation_members").update({ last_read_message_id: 1 }).eq("member_id", eve.id)).error,
    ).toBeNull();
  });

  it("erasing an account erases what it made", async () => {
    const { id, roam } = await newcomer();
    await roam.from("lists").insert({ title: "x" }).throwOnError();
    await roam.from("reviews").insert({ place_id: 3369157, rating: 1 }).throwOnError();
    const [before] = await app.sql<{ review_count: number }>("select review_count from places where id = 3369157");
    await app.sql("delete from auth.users where id = $1", [id]);
    expect(
      await app.sql(
        "select (select count(*) from lists where owner_id = $1)::int as lists, (select count(*) from profiles where id = $1)::int as profiles",
        [id],
      ),
    ).toEqual([{ lists: 0, profiles: 0 }]);
    expect(await app.sql("select review_count from places where id = 3369157")).toEqual([
      { review_count: (before?.review_count ?? 0) - 1 },
    ]);
  });
});

const demo = () =>
  run(process.execPath, [join(here, "demo.ts"), "--url", app.url, "--key", app.anonKey], {
    env: { ...process.env, ...app.env },
  });

it("the demo's story holds", async () => {
  const { stdout, stderr } = await demo();
  expect(stderr).toBe("");
  expect(stdout).toContain("Everything held.");
});

it("the demo fails loudly when something is off", async () => {
  await app.sql("alter table lists disable row level security");
  try {
    const failed = await demo().catch((error: unknown) => error);
    expect(failed).toMatchObject({ code: 1, stderr: expect.stringContaining("Omar read Nora's private list") });
  } finally {
    await app.sql("alter table lists enable row level security");
  }
});
