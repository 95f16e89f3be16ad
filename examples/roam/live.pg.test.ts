import { randomUUID } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join as joinPath } from "node:path";
import { type BootedApp, boot } from "@mainstay/testing";
import { createClient, type SupabaseClient } from "@supabase/supabase-js";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { join, listen, type Room, type Rows } from "./demo/live.ts";
import config from "./mainstay.config.ts";

const here = import.meta.dirname;
const lisbon = 2267057;

let app: BootedApp;
const clients: SupabaseClient[] = [];

beforeAll(async () => {
  const migrations = readdirSync(joinPath(here, "migrations")).sort();
  app = await boot({
    sql: [
      'set search_path to "$user", public, extensions;',
      ...migrations.map((name) => readFileSync(joinPath(here, "migrations", name), "utf8")),
      `insert into places (id, name, country_code, feature_code, lat, lng) values (${lisbon}, 'Lisbon', 'PT', 'PPLC', 38.7, -9.1);`,
    ].join("\n"),
    settings: { auth: { ...config.auth, rateLimits: false, environment: "test" } },
  });
});
afterEach(async () => {
  for (const { realtime } of clients.splice(0)) await realtime.disconnect();
});
afterAll(() => app?.stop());

function anonymous(): SupabaseClient {
  const roam = createClient(app.url, app.anonKey, { auth: { persistSession: false, autoRefreshToken: false } });
  clients.push(roam);
  return roam;
}

interface Person {
  readonly id: string;
  readonly roam: SupabaseClient;
}

async function newcomer(): Promise<Person> {
  const roam = anonymous();
  const { data, error } = await roam.auth.signUp({ email: `${randomUUID()}@roam.example`, password: randomUUID() });
  if (error) throw error;
  return { id: data.user?.id ?? "", roam };
}

async function startConversation(by: Person, others: readonly Person[]): Promise<string> {
  const { data } = await by.roam
    .rpc("start_conversation", { member_ids: others.map(({ id }) => id) })
    .single<{ id: string }>()
    .throwOnError();
  return data.id;
}

const write = ({ roam }: Person, conversation_id: string, body: string) =>
  roam.from("messages").insert({ conversation_id, body }).select().single<Message>().throwOnError();

interface Message {
  readonly id: number;
  readonly body: string;
}
const messages = (roam: SupabaseClient, event: "INSERT" | "DELETE" = "INSERT") =>
  listen<Message>(roam, { event, table: "messages" });
const bodies = ({ seen }: Rows<Message>) => seen.map(({ body }) => body);

const offer = (host: Person, on: string) =>
  host.roam
    .from("slots")
    .insert({ place_id: lisbon, title: "Tram", starts_at: `${on}T10:00Z`, ends_at: `${on}T11:00Z` })
    .select()
    .single<{ id: number }>()
    .throwOnError();

/** Changes something that everybody sees, and waits until these have been told: whatever came before has come by then. */
async function untilAllAreTold(...roams: readonly SupabaseClient[]): Promise<void> {
  const sign = randomUUID();
  const ears = await Promise.all(
    roams.map((roam) => listen<{ title: string }>(roam, { event: "UPDATE", table: "slots" })),
  );
  const host = await newcomer();
  const { data: slot } = await offer(host, "2031-01-01");
  await host.roam.from("slots").update({ title: sign }).eq("id", slot.id).throwOnError();
  await Promise.all(ears.map((ear) => ear.first(({ title }) => title === sign, "the sign")));
}

/** @throws Error with the reason when it is refused */
async function enter(person: Person, conversation: string): Promise<Room> {
  const room = await join(person.roam, `conversation:${conversation}`, person.id);
  if (typeof room === "string") throw new Error(room);
  return room;
}

describe("messages", () => {
  it("are told to the members as they are written, and to nobody else", async () => {
    const [ann, bob, eve] = [await newcomer(), await newcomer(), await newcomer()];
    const nobody = anonymous();
    const conversation = await startConversation(ann, [bob]);
    const [hers, his, eves, nobodys] = await Promise.all(
      [ann.roam, bob.roam, eve.roam, nobody].map((roam) => messages(roam)),
    );
    await write(ann, conversation, "Hi Bob");
    await write(bob, conversation, "Hi Ann");
    await untilAllAreTold(ann.roam, bob.roam, eve.roam, nobody);
    expect([hers, his, eves, nobodys].map((rows) => bodies(rows!))).toEqual([
      ["Hi Bob", "Hi Ann"],
      ["Hi Bob", "Hi Ann"],
      [],
      [],
    ]);
  });

  it("come over the same subscription from conversations that others begin later", async () => {
    const [ann, bob] = [await newcomer(), await newcomer()];
    const [his, invitations] = await Promise.all([
      messages(bob.roam),
      listen<{ conversation_id: string }>(bob.roam, {
        event: "INSERT",
        table: "conversation_members",
        filter: `member_id=eq.${bob.id}`,
      }),
    ]);
    const conversation = await startConversation(ann, [bob]);
    await write(ann, conversation, "You are in");
    await his.first(({ body }) => body === "You are in", "the message");
    await invitations.first((row) => row.conversation_id === conversation, "the invitation");
    expect(invitations.seen).toHaveLength(1);
  });

  it("R04 that are taken back leave the members' screens, and strangers are told no key", async () => {
    const [ann, bob, eve] = [await newcomer(), await newcomer(), await newcomer()];
    const conversation = await startConversation(ann, [bob]);
    const [his, eves] = await Promise.all([messages(bob.roam, "DELETE"), messages(eve.roam, "DELETE")]);
    const { data: message } = await write(ann, conversation, "Oh no");
    await ann.roam.from("messages").delete().eq("id", message.id).throwOnError();
    await his.first(({ id }) => id === message.id, "the deletion");
    await untilAllAreTold(eve.roam);
    expect([his.seen, eves.seen]).toEqual([[{ id: message.id }], []]);
  });

  it("R05 reach nobody who has left", async () => {
    const [ann, bob] = [await newcomer(), await newcomer()];
    const conversation = await startConversation(ann, [bob]);
    const his = await messages(bob.roam);
    await write(ann, conversation, "before");
    await his.first(({ body }) => body === "before", "the message");
    await bob.roam.from("conversation_members").delete().eq("conversation_id", conversation).throwOnError();
    await write(ann, conversation, "after");
    await untilAllAreTold(bob.roam);
    expect(bodies(his)).toEqual(["before"]);
  });
});

describe("a conversation's channel", () => {
  it("says who is here and who types, to members alone", async () => {
    const [ann, bob, eve] = [await newcomer(), await newcomer(), await newcomer()];
    const conversation = await startConversation(ann, [bob]);
    const [hers, his] = await Promise.all([enter(ann, conversation), enter(bob, conversation)]);
    await Promise.all([hers, his].map((room) => room.whenHere([ann.id, bob.id])));
    await his.channel.send({ type: "broadcast", event: "typing", payload: { member_id: bob.id } });
    expect(await hers.heard("typing")).toEqual({ member_id: bob.id });
    for (const { roam, id } of [eve, { roam: anonymous(), id: "" }]) {
      expect(await join(roam, `conversation:${conversation}`, id)).toMatch(/^Unauthorized/);
    }
    expect(await join(eve.roam, "conversation:no-uuid", eve.id)).toMatch(/^Unauthorized/);
  });

  it("R06 has nothing to do with the public one of its name", async () => {
    const [ann, bob, eve] = [await newcomer(), await newcomer(), await newcomer()];
    const conversation = await startConversation(ann, [bob]);
    const hers = await enter(ann, conversation);
    const heard: unknown[] = [];
    const aside = eve.roam.channel(`conversation:${conversation}`);
    await new Promise<void>((resolve) => {
      aside
        .on("broadcast", { event: "*" }, (message) => heard.push(message))
        .subscribe((status) => {
          if (status === "SUBSCRIBED") resolve();
        });
    });
    const his = await enter(bob, conversation);
    await aside.send({ type: "broadcast", event: "typing", payload: { member_id: eve.id } });
    await his.channel.send({ type: "broadcast", event: "typing", payload: { member_id: bob.id } });
    expect(await hers.heard("typing")).toEqual({ member_id: bob.id });
    await untilAllAreTold(eve.roam);
    expect(heard).toEqual([]);
  });

  it("R05 ends for who has left, within five seconds", async () => {
    const [ann, bob] = [await newcomer(), await newcomer()];
    const conversation = await startConversation(ann, [bob]);
    const [hers, his] = await Promise.all([enter(ann, conversation), enter(bob, conversation)]);
    await bob.roam.from("conversation_members").delete().eq("conversation_id", conversation).throwOnError();
    await expect.poll(() => his.channel.state).toBe("closed");
    await expect.poll(() => Object.keys(hers.channel.presenceState())).toEqual([ann.id]);
  });
});

describe("bookings", () => {
  it("turn a slot for everybody; who booked is told to its guest and its host", async () => {
    const [host, guest, eve] = [await newcomer(), await newcomer(), await newcomer()];
    const { data: slot } = await offer(host, "2030-05-05");
    const follow = (event: "INSERT" | "DELETE") =>
      Promise.all(
        [host, guest, eve].map(({ roam }) =>
          listen<{ id: number; guest_id?: string }>(roam, { event, table: "bookings" }),
        ),
      );
    const [booked, cancelled] = [await follow("INSERT"), await follow("DELETE")];
    const looker = await listen<{ is_booked: boolean }>(anonymous(), {
      event: "UPDATE",
      table: "slots",
      filter: `id=eq.${slot.id}`,
    });
    const { data: booking } = await guest.roam
      .from("bookings")
      .insert({ slot_id: slot.id })
      .select()
      .single<{ id: number }>()
      .throwOnError();
    await looker.first(({ is_booked }) => is_booked, "the booking");
    await guest.roam.from("bookings").delete().eq("id", booking.id).throwOnError();
    await looker.first(({ is_booked }) => !is_booked, "the cancellation");
    await untilAllAreTold(host.roam, guest.roam, eve.roam);
    expect(booked.map(({ seen }) => seen.map(({ guest_id }) => guest_id))).toEqual([[guest.id], [guest.id], []]);
    expect(cancelled.map(({ seen }) => seen)).toEqual([[{ id: booking.id }], [{ id: booking.id }], []]);
    expect(looker.seen.map(({ is_booked }) => is_booked)).toEqual([true, false]);
  });
});
