import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { failuresOf, type RealtimeApp, startRealtime, tokenOf, userId } from "./app.ts";
import { broadcastFrame, type Client, clientFrame } from "./client.ts";

const [reader, writer, shower, late] = [1, 2, 3, 4].map(userId) as [string, string, string, string];
/** Each right by itself, and one that began at some time. The functions are an app's own mistakes. */
const sql = `
  create table public.rights (who uuid, topic text, read bool, write bool, see bool, show bool, since timestamp, primary key (who, topic));
  alter table public.rights enable row level security;
  create policy "own" on public.rights for select to authenticated using (who = auth.uid());
  grant select on public.rights to authenticated;
  create policy "read" on realtime.messages for select to authenticated using (exists (
    select from public.rights r where r.who = auth.uid() and r.topic = realtime.topic() and (r.since is null or r.since <= inserted_at)
      and case extension when 'broadcast' then r.read else r.see end));
  create policy "write" on realtime.messages for insert to authenticated with check (exists (
    select from public.rights r where r.who = auth.uid() and r.topic = realtime.topic()
      and case extension when 'broadcast' then r.write else r.show end));
  insert into public.rights values
    ('${reader}', 'room', true, false, true, false), ('${writer}', 'room', true, true, true, true),
    ('${shower}', 'room', false, false, true, true);
  create function public.forge(prefix text, content text, is_transactional bool) returns text language sql
    as $$ select pg_logical_emit_message(is_transactional, prefix, decode(content, 'hex'))::text $$;
  create function public.say(topic text, body text) returns void language sql
    as $$ select realtime.send(jsonb_build_object('body', body), 'said', topic, true) $$;
  create function public.write_row(topic text) returns void language sql
    as $$ insert into realtime.messages (topic, extension, event, payload, private) values (topic, 'broadcast', 'x', '{}', true) $$;`;

let app: RealtimeApp;
beforeAll(async () => {
  app = await startRealtime(sql);
});
afterAll(async () => {
  expect(failuresOf(app)).toEqual([]);
  await app.stop();
});

const room = "realtime:room";
const presence = { enabled: true, key: "" };

async function joined(
  sub: string | null,
  config: object = {},
  name = room,
  version?: "1.0.0" | "2.0.0",
): Promise<Client> {
  const client = await app.connect(version === undefined ? {} : { version });
  const reply = await client.join(name, config, sub === null ? undefined : tokenOf(sub));
  expect(reply.status).toBe("ok");
  return client;
}

const said = (client: Client): readonly unknown[] => client.of("broadcast").map(({ payload }) => payload.payload);
/** Keys that somebody has seen on a channel, by state or by diff. */
const seen = (client: Client): readonly string[] =>
  [
    ...client.of("presence_state").flatMap(({ payload }) => Object.keys(payload)),
    ...client.of("presence_diff").flatMap(({ payload }) => Object.keys(payload.joins)),
  ].sort();
const post = (path: string, body: unknown, as?: string) =>
  app.request(`/realtime/v1/api/broadcast${path}`, { body, ...(as ? { as } : {}) });

/** What was sent before has come to whoever gets it. */
async function settled(...clients: readonly Client[]): Promise<void> {
  const mark = randomUUID();
  const name = `realtime:${mark}`;
  const client = await joined(null, {}, name);
  // Over the log, behind all that was written into it before.
  await app.sql("select realtime.send('{}', 'mark', $1, false)", [mark]);
  await client.next(({ event }) => event === "broadcast");
  await sleep(50);
  for (const each of clients) expect(await each.beat()).toBe(true);
  client.cut();
}

describe("R06 public and private channels of one name", () => {
  test("R06 are different rooms: for broadcasts of every kind, presences, and the database", async () => {
    const inPublic = await Promise.all([
      joined(writer, { presence, broadcast: { self: true } }),
      joined(null, { presence }),
      joined(null, { presence }, room, "1.0.0"),
    ]);
    const inPrivate = await Promise.all([
      joined(writer, { private: true, presence, broadcast: { self: true } }),
      joined(reader, { private: true, presence }),
      joined(reader, { private: true, presence }, room, "1.0.0"),
    ]);
    const both = [...inPublic, ...inPrivate];
    const [outside, inside] = [inPublic[0]!, inPrivate[0]!];
    outside.broadcast(room, "kind 3", "public");
    outside.push(room, "broadcast", { type: "broadcast", event: "text", payload: "public" });
    inside.broadcast(room, "kind 3", "private");
    inside.push(room, "broadcast", { type: "broadcast", event: "text", payload: "private" });
    for (const isPrivate of [false, true]) {
      const payload = { via: isPrivate ? "private" : "public" };
      const message = { topic: "room", event: "http", payload, private: isPrivate };
      expect((await post("", { messages: [message] }, tokenOf(writer))).status).toBe(202);
      expect((await post(`/room/events/http?private=${isPrivate}`, payload, tokenOf(writer))).status).toBe(202);
      await app.sql("select realtime.send($1, 'sql', 'room', $2)", [JSON.stringify(payload), isPrivate]);
    }
    await settled(...both);
    for (const client of both) {
      const [own, other] = inPublic.includes(client) ? ["public", "private"] : ["private", "public"];
      // Five, of which the one who sent two gets its own.
      expect(said(client)).toHaveLength(5);
      expect(JSON.stringify(said(client))).toContain(own);
      expect(JSON.stringify(said(client))).not.toContain(other);
    }
    outside.push(room, "presence", { type: "presence", event: "track", payload: { where: "public" } });
    inside.push(room, "presence", { type: "presence", event: "track", payload: { where: "private" } });
    await settled(...both);
    for (const client of both) {
      const where = JSON.stringify(client.of("presence_diff"));
      expect(where).toContain(inPublic.includes(client) ? "public" : "private");
      expect(where).not.toContain(inPublic.includes(client) ? "private" : "public");
    }
    for (const client of both) client.cut();
  });

  test("R06 no name leads from one to the other", async () => {
    const inside = await joined(reader, { private: true, presence });
    const tricks = [
      "private:room",
      "public:room",
      "room?private=true",
      "room\u0000",
      "Room",
      "room ",
      " room",
      "realtime:room",
    ];
    for (const name of tricks) {
      const client = await app.connect();
      await client.join(`realtime:${name}`, { presence });
      client.push(`realtime:${name}`, "broadcast", { type: "broadcast", event: "x", payload: "trick" });
      // On a socket that has joined something else, in the name of the room.
      client.push(room, "broadcast", { type: "broadcast", event: "x", payload: "trick" });
      client.raw(clientFrame(2, broadcastFrame(room, client.joinRef(`realtime:${name}`), "x", '"trick"')));
      for (const isPrivate of ["true ", "TRUE", 1, {}]) {
        await post("", { messages: [{ topic: name, event: "x", payload: { trick: 1 }, private: isPrivate }] });
      }
      await client.beat();
      client.cut();
    }
    await settled(inside);
    expect(said(inside)).toEqual([]);
    inside.cut();
  });
});

describe("R07 to read is not to write, and broadcasts are not presences", () => {
  test("R07 who may only read broadcasts nothing, by any way in", async () => {
    const watcher = await joined(writer, { private: true, presence });
    const client = await joined(reader, { private: true, broadcast: { ack: true, self: true }, presence });
    const old = await joined(reader, { private: true, broadcast: { ack: true, self: true } }, room, "1.0.0");
    const token = tokenOf(reader);
    client.broadcast(room, "x", "forged");
    client.raw(clientFrame(2, broadcastFrame(room, client.joinRef(room), "x", Buffer.from("forged"))));
    for (const each of [client, old])
      each.push(room, "broadcast", { type: "broadcast", event: "x", payload: "forged" });
    for (const event of ["postgres_changes", "presence_diff", "presence_state", "system", "phx_reply"]) {
      client.push(room, event, { type: "broadcast", event: "x", payload: "forged" });
    }
    const message = { topic: "room", event: "x", payload: { forged: true }, private: true };
    expect((await post("", { messages: [message] }, token)).status).toBe(202);
    expect((await post("/room/events/x?private=true", { forged: true }, token)).status).toBe(403);
    expect((await post("", { messages: [message] })).status).toBe(202);
    expect((await post("/room/events/x?private=true", { forged: true })).status).toBe(403);
    await app.request("/rest/v1/rpc/say", { body: { topic: "room", body: "forged" }, as: token });
    const row = await app.request("/rest/v1/rpc/write_row", { body: { topic: "room" }, as: token });
    expect(row.status).toBe(403);
    expect((await app.request("/rest/v1/messages", { body: message, as: token })).status).toBe(404);
    await settled(watcher, client, old);
    for (const each of [watcher, client, old]) {
      expect(said(each)).toEqual([]);
      expect(JSON.stringify(each.received)).not.toContain("forged");
    }
    // No answer tells a refusal from a slow server.
    expect(client.of("phx_reply").filter(({ topic, payload }) => topic === room && payload.status === "error")).toEqual(
      [],
    );
    for (const each of [watcher, client, old]) each.cut();
  });

  test("R07 who may only read shows itself to nobody, and who may only show itself hears no broadcast", async () => {
    const watcher = await joined(writer, { private: true, presence: { enabled: true, key: "watcher" } });
    const hidden = await joined(reader, { private: true, presence: { enabled: true, key: "hidden" } });
    const shown = await joined(shower, { private: true, presence: { enabled: true, key: "shown" } });
    const track = { type: "presence", event: "track", payload: {} };
    expect((await hidden.ask(room, "presence", track)).status).toBe("error");
    expect((await shown.ask(room, "presence", track)).status).toBe("ok");
    watcher.broadcast(room, "x", "for readers");
    shown.broadcast(room, "x", "of nobody");
    await settled(watcher, hidden, shown);
    for (const each of [watcher, hidden, shown]) expect(seen(each)).toEqual(["shown"]);
    expect([said(hidden), said(shown)]).toEqual([["for readers"], []]);
    for (const each of [watcher, hidden, shown]) each.cut();
  });

  test("R07 nobody speaks for the server in the log: what an app's function lets anybody write there reaches nobody", async () => {
    const inPublic = await joined(null, { presence, broadcast: { self: true } });
    const inPrivate = await joined(reader, { private: true, presence, broadcast: { self: true } });
    const warnings = () => app.observations.filter((one) => one.kind === "warning" && one.area === "log");
    const before = warnings().length;
    // As the server itself writes it, of a node that has just come.
    const node = Buffer.from(randomUUID());
    const forgedBroadcast = (name: string): Buffer => {
      const [target, payload] = [Buffer.from(name), Buffer.from('{"type":"broadcast","event":"x","payload":"forged"}')];
      const record = Buffer.alloc(19 + target.length + payload.length);
      record.writeUInt16BE(target.length, 9);
      record.writeUInt32BE(payload.length, 15);
      target.copy(record, 19);
      payload.copy(record, 19 + target.length);
      return Buffer.concat([Buffer.from([1, node.length]), node, Buffer.from([0, 0, 0, 0, 0, 1]), record]);
    };
    const presences = [
      [1, "public:room", "forged", "ref", "{}"],
      [2, "private:room", "forged", "ref", "{}"],
    ];
    const messages: [prefix: string, content: Buffer][] = [
      ["mainstay.broadcast", forgedBroadcast("public:room")],
      ["mainstay.broadcast", forgedBroadcast("private:room")],
      ["mainstay.presence", Buffer.from(JSON.stringify([1, 2, String(node), 1, 0, 1, presences]))],
      ["mainstay.presence", Buffer.from(JSON.stringify([1, 0, String(node)]))],
    ];
    for (const [prefix, content] of messages) {
      // Behind anything that could pass for a proof, too.
      for (const body of [
        content,
        Buffer.concat([Buffer.alloc(32), content]),
        Buffer.concat([Buffer.alloc(32, 7), content]),
      ]) {
        for (const is_transactional of [true, false]) {
          const reply = await app.request("/rest/v1/rpc/forge", {
            body: { prefix, content: body.toString("hex"), is_transactional },
          });
          expect(reply.status, await reply.text()).toBe(200);
        }
      }
    }
    await settled(inPublic, inPrivate);
    for (const each of [inPublic, inPrivate]) {
      expect(said(each)).toEqual([]);
      expect(JSON.stringify(each.received)).not.toContain("forged");
    }
    expect(warnings().length).toBe(before + 1);
    // What a million of such words could do is bounded: they are one look each, and nobody is cut off or told anything.
    const heard = inPrivate.received.length;
    for (let times = 0; times < 200; times++) {
      await app.request("/rest/v1/rpc/forge", {
        body: { prefix: "mainstay.ddl", content: "", is_transactional: true },
      });
    }
    await settled(inPublic, inPrivate);
    expect(inPrivate.received.slice(heard).filter(({ topic }) => topic === room)).toEqual([]);
    for (const each of [inPublic, inPrivate]) each.cut();
  });
});

describe("R08 what was said before somebody came", () => {
  const send = (body: string, topic = "room") =>
    app.sql("select realtime.send(jsonb_build_object('body', $1::text), 'said', $2, true)", [body, topic]);
  const bodies = (client: Client) => client.of("broadcast").map(({ payload }) => payload.payload.body);
  const replay = { private: true, broadcast: { replay: { since: 0, limit: 25 } } };

  test("R08 is replayed on private channels only, to who may read it by the rights of its own time", async () => {
    const topic = randomUUID();
    await app.sql(
      `insert into public.rights values ('${reader}', '${topic}', true, false, false), ('${shower}', '${topic}', false, false, true)`,
    );
    // What is in the log by the time somebody joins is replayed; what is not yet, he hears as it comes.
    const witness = await joined(reader, { private: true }, `realtime:${topic}`);
    for (const body of ["one", "two"]) await send(body, topic);
    await app.sql(
      `insert into public.rights values ('${late}', '${topic}', true, false, false, false, now() at time zone 'utc')`,
    );
    for (const body of ["three", "four"]) await send(body, topic);
    await expect.poll(() => bodies(witness)).toEqual(["one", "two", "three", "four"]);
    const [early, newcomer, deaf] = await Promise.all(
      [reader, late, shower].map((sub) => joined(sub, replay, `realtime:${topic}`)),
    );
    await settled(early!, newcomer!, deaf!);
    expect([early, newcomer, deaf].map((client) => bodies(client!))).toEqual([
      ["one", "two", "three", "four"],
      ["three", "four"],
      [],
    ]);
    const client = await app.connect();
    for (const [config, token] of [
      [{ broadcast: replay.broadcast }, tokenOf(reader)],
      [replay, undefined],
      [replay, tokenOf(userId(99))],
    ] as const) {
      const reply = await client.join(`realtime:${topic}`, config, token);
      expect(reply.status).toBe("error");
    }
    await settled(client);
    expect(client.of("broadcast")).toEqual([]);
  });

  test("R08 a replay asks for its own topic, whatever it is asked with", async () => {
    await send("of the room");
    const client = await app.connect();
    const odd: readonly unknown[] = [
      { since: -1 },
      { since: "0" },
      { since: 0, limit: "25" },
      { since: 0, limit: 1e9 },
      { since: 1e300 },
      { since: Number.MAX_SAFE_INTEGER },
      { since: { valueOf: 0 } },
      { since: [0] },
      [0],
      "0",
      1,
      { since: 0, topic: "room" },
      { since: 0, private: false },
    ];
    for (const one of odd) {
      const reply = await client.join(
        "realtime:elsewhere",
        { private: true, broadcast: { replay: one } },
        tokenOf(reader),
      );
      expect(reply.status, JSON.stringify(one)).toBe("error");
    }
    await settled(client);
    expect(client.of("broadcast")).toEqual([]);
  });

  test("R08 R13 who comes back is sent what it missed by the rights it has now, and nobody else is sent it", async () => {
    const topic = randomUUID();
    const name = `realtime:${topic}`;
    await app.sql(`insert into public.rights values ('${reader}', '${topic}', true), ('${writer}', '${topic}', true)`);
    const clients = await Promise.all([reader, writer].map((sub) => joined(sub, { private: true }, name)));
    await send("before", topic);
    for (const client of clients) await client.next(({ event }) => event === "broadcast");
    // Until both have said that it has arrived.
    await sleep(2_500);
    for (const client of clients) client.cut();
    await send("missed", topic);
    await app.sql(`update public.rights set read = false, see = true where who = '${writer}' and topic = '${topic}'`);
    const back = async (sub: string) => {
      const client = await app.connect();
      // Who comes back goes on counting; that is no secret, and opens nothing.
      for (let beats = 0; beats < 20; beats++) await client.beat();
      return { client, reply: await client.join(name, { private: true }, tokenOf(sub)) };
    };
    const [own, lost, stranger] = [await back(reader), await back(writer), await back(userId(99))];
    await own.client.next(({ event }) => event === "broadcast");
    await settled(own.client, lost.client, stranger.client);
    expect(bodies(own.client)).toEqual(["missed"]);
    expect([lost.reply.status, stranger.reply.status]).toEqual(["ok", "error"]);
    expect([bodies(lost.client), bodies(stranger.client)]).toEqual([[], []]);
  });
});
