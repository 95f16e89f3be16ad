import { afterAll, beforeAll, expect, it, vi } from "vitest";
import {
  changesOn,
  newName,
  type RealtimeApp,
  replicating,
  startRealtimeApp,
  subscribed,
  systemOn,
  within,
} from "./realtime-app.ts";

let app: RealtimeApp;
beforeAll(async () => {
  app = await startRealtimeApp(`
    create table public.shown (id int primary key);
    create table public.handled (id int primary key, secret text);
    create table public.hooked (id int primary key, secret text);
    grant all on public.shown, public.handled, public.hooked to anon, service_role;
    alter publication supabase_realtime add table public.shown;`);
});
afterAll(() => app.stop());

/** The log has them for functions on change and for webhooks: that is nobody's leave to hear them. */
it("tables that are in the publications of functions and webhooks only are heard by nobody", async () => {
  const heard = await Promise.all(
    [app.anonKey, app.serviceRoleKey].map(async (key) => {
      const channel = app.realtime({ key }).client.channel(newName());
      const got = changesOn(channel, { event: "*", schema: "*" });
      const system = systemOn(channel);
      await subscribed(channel);
      await replicating(system);
      return got;
    }),
  );
  await app.sql(`alter publication mainstay_readers add table public.handled`);
  await app.sql(`select mainstay.create_webhook('hooked', 'https://example.com', 'public.hooked')`);
  // Both ways round: in one transaction with what is heard, and alone.
  await app.sql(`begin; insert into public.handled values (1, 'a'); insert into public.hooked values (1, 'a');
    insert into public.shown values (1); commit`);
  await app.sql(`insert into public.handled values (2, 'b'); update public.handled set secret = 'c'`);
  await app.sql(`insert into public.hooked values (2, 'b'); delete from public.hooked where id = 1`);
  await app.sql(`insert into public.shown values (2)`);
  for (const got of heard) {
    await vi.waitFor(() => expect(got.at(-1)).toMatchObject({ new: { id: 2 } }), within);
    expect(got.map(({ table, new: now }) => [table, now])).toEqual([
      ["shown", { id: 1 }],
      ["shown", { id: 2 }],
    ]);
  }
  // They are in the log: once the app publishes one of them, it is heard.
  await app.sql(`alter publication supabase_realtime add table public.handled`);
  await app.sql(`insert into public.handled values (3, 'd')`);
  for (const got of heard) {
    await vi.waitFor(() => expect(got.at(-1)).toMatchObject({ table: "handled", new: { id: 3, secret: "d" } }), within);
    expect(got).toHaveLength(3);
  }
});

it("nor can they be asked for by name", async () => {
  const channel = app.realtime().client.channel(newName());
  const got = changesOn(channel, { event: "*", schema: "public", table: "hooked" });
  const system = systemOn(channel);
  channel.subscribe();
  await vi.waitFor(() => expect(system.at(-1)).toMatchObject({ extension: "postgres_changes" }), within);
  await app.sql(`insert into public.hooked values (7, 'x')`);
  const witness = app.realtime().client.channel(newName());
  const seen = changesOn(witness, { event: "*", schema: "public", table: "shown" });
  const witnessed = systemOn(witness);
  await subscribed(witness);
  await replicating(witnessed);
  await app.sql(`insert into public.hooked values (8, 'x'); insert into public.shown values (8)`);
  await vi.waitFor(() => expect(seen).toHaveLength(1), within);
  expect(got).toEqual([]);
});
