import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { TestClient } from "../testing.ts";
import { type ChangesBench, changeOf, openChangesBench } from "./testing.ts";

const schema = `
  create table public.notes (id int primary key, body text);
  grant select on public.notes to anon;
  alter publication supabase_realtime add table public.notes;`;

/** Tries all ways to cut so many letters in six, since none of them fits. */
const endless = "body=match.^(a*)(a*)(a*)(a*)(a*)(a*)b\\1\\2\\3\\4\\5\\6a$";
const letters = "repeat('a', 150) || 'b' || repeat('a', 150)";

let bench: ChangesBench;
beforeEach(async () => {
  bench = await openChangesBench(schema, {
    settings: { realtimeFilterTimeoutMs: 500, realtimeAskedFiltersPerSocket: 3, realtimeAskedFilters: 5 },
  });
});
afterEach(() => bench.close());

const isSystem =
  (status: string) =>
  ({ event, payload }: { event: string; payload: unknown }): boolean =>
    event === "system" && (payload as { status: string }).status === status;

async function waitFor(filter: string, name = "notes", client = bench.realtime.connect()): Promise<TestClient> {
  const bindings = [{ event: "*", schema: "public", table: "notes", ...(filter === "" ? {} : { filter }) }];
  expect((await client.join(name, { postgres_changes: bindings })).status).toBe("ok");
  await client.waitFor(({ event, topic }) => event === "system" && topic === `realtime:${name}`);
  return client;
}

const ids = (client: TestClient) => client.of("postgres_changes").map((message) => changeOf(message).data.record?.id);

describe("R12 B10 filters that only PostgreSQL can decide", () => {
  test("R12 B10 one that takes for ever is its subscriber's alone: it ends, and nobody else waits for it or misses anything", async () => {
    const slow = await waitFor(endless);
    const [plain, other] = [await waitFor(""), await waitFor("body=ilike.A%")];
    await bench.realtime.sql(`insert into notes values (1, ${letters})`);
    await plain.waitFor(({ event }) => event === "postgres_changes");
    expect(slow.received.some(isSystem("error"))).toBe(false);
    const { payload } = await slow.waitFor(isSystem("error"));
    expect(payload).toMatchObject({
      extension: "postgres_changes",
      message:
        "Unable to subscribe to changes with given parameters: a filter takes too long to decide, or fails (57014).",
    });
    await other.waitFor(({ event }) => event === "postgres_changes");
    // It is not asked about again.
    await bench.realtime.sql(`insert into notes values (2, ${letters})`);
    await other.waitFor(() => ids(other).length === 2);
    expect([ids(plain), ids(other), ids(slow)]).toEqual([[1, 2], [1, 2], []]);
    expect(slow.received.filter(isSystem("error"))).toHaveLength(1);
    for (const client of [plain, other]) expect(client.received.some(isSystem("error"))).toBe(false);
  });

  test("R12 are so many for one connection and for all, and others are told so", async () => {
    const first = bench.realtime.connect();
    for (const at of [1, 2, 3]) await waitFor(`body=ilike.${at}%`, `room ${at}`, first);
    await waitFor("body=ilike.4%", "room 4", first);
    expect(first.received.filter(isSystem("error")).map(({ topic, payload }) => [topic, payload])).toEqual([
      ["realtime:room 4", expect.objectContaining({ message: expect.stringContaining("at most 3 filters") })],
    ]);
    const second = bench.realtime.connect();
    await waitFor("body=ilike.4%", "room 4", second);
    await waitFor("body=ilike.5%", "room 5", second);
    const third = bench.realtime.connect();
    // One that somebody else has costs nothing more.
    await waitFor("body=ilike.1%", "room 1", third);
    await waitFor("body=ilike.6%", "room 6", third);
    expect(third.received.filter(isSystem("error")).map(({ topic }) => topic)).toEqual(["realtime:room 6"]);
    // Room is made by who leaves.
    await first.ask("room 2", "phx_leave", {});
    const fourth = await waitFor("body=ilike.6%", "room 6");
    await bench.realtime.sql("insert into notes values (1, '6'), (2, '1'), (3, '2')");
    await fourth.waitFor(({ event }) => event === "postgres_changes");
    await third.waitFor(({ event }) => event === "postgres_changes");
    expect([ids(fourth), ids(third)]).toEqual([[1], [2]]);
  });
});
