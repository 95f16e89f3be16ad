import { randomBytes } from "node:crypto";
import { once } from "node:events";
import type { Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { failuresOf, type RealtimeApp, startRealtime, tokenOf, userId } from "./app.ts";
import { broadcastFrame, type Client, clientFrame, handshake, handshakeOf, openTcp } from "./client.ts";

const inputs = Number(process.env.MAINSTAY_FRAMES ?? 10_000);
const seed = Number(process.env.MAINSTAY_FUZZ_SEED ?? 20261121);

let app: RealtimeApp;
let bystander: Client;
beforeAll(async () => {
  app = await startRealtime(
    `create policy "users" on realtime.messages for select to authenticated using (true);
     create policy "the service" on realtime.messages for select to service_role using (true)`,
    { realtime: { realtimeMessageBytes: 100_000, realtimeCloseMs: 1_000 }, http: { headersTimeoutMs: 1_000 } },
  );
  bystander = await app.connect();
  expect((await bystander.join("realtime:others", { broadcast: { self: true } })).status).toBe("ok");
});
afterAll(async () => {
  expect(failuresOf(app)).toEqual([]);
  await app.stop();
});

/** Others are served as before. */
async function expectServed(): Promise<void> {
  const { length } = bystander.of("broadcast");
  bystander.broadcast("realtime:others", "x", {});
  await expect.poll(() => bystander.of("broadcast").length).toBe(length + 1);
}

const rss = (): number => {
  globalThis.gc?.();
  return process.memoryUsage().rss;
};

/** Small whole numbers without rhyme or reason, the same for every run of a seed (Park and Miller 1988). */
function dice(from: number): (below: number) => number {
  let state = from % 2_147_483_647 || 1;
  return (below) => {
    state = (state * 48_271) % 2_147_483_647;
    return state % below;
  };
}

describe("R09 websockets that pages of other sites open", () => {
  test("R09 nothing that a browser keeps or adds says who it is: only the key does", async () => {
    const service = app.serviceRoleKey;
    const ambient = {
      Cookie: `sb-access-token=${service}; sb-auth-token=${service}; apikey=${service}; access_token=${service}`,
      Authorization: `Bearer ${service}`,
      "Proxy-Authorization": `Bearer ${service}`,
      "Sec-WebSocket-Protocol": `phoenix, ${service}, base64url.bearer.phx.${Buffer.from(service).toString("base64url")}`,
    };
    for (const [name, value] of Object.entries(ambient)) {
      const { status } = await handshake(app.url, { headers: { [name]: value } });
      expect.soft(status, name).toBe(401);
    }
    const client = await app.connect({ headers: ambient });
    const reply = await client.join("realtime:secret", { private: true });
    expect(reply.response.reason).toMatch(/^Unauthorized: /);
    client.cut();
  });

  test("R09 pages of origins that are not named open none, where origins are named", async () => {
    const strict = await startRealtime("", {
      realtime: { realtimeOrigins: ["https://app.example.com", "http://localhost:3000"] },
    });
    const good = ["https://app.example.com", "http://localhost:3000"];
    const bad = [
      "https://evil.example",
      "null",
      "",
      "file://",
      "http://app.example.com",
      "https://app.example.com:8443",
      "https://app.example.com.evil.example",
      "https://app.example.com@evil.example",
      "https://app.example.com/",
      "https://APP.example.com",
      "https://sub.app.example.com",
      "https://evil.example#https://app.example.com",
      "https://app.example.com https://evil.example",
      "http://localhost",
      "http://localhost:3001",
      "http://127.0.0.1:3000",
      "http://[::1]:3000",
      strict.url,
      strict.url.replace("127.0.0.1", "localhost"),
    ];
    const statusOf = async (headers: Record<string, string>) =>
      (await handshake(strict.url, { key: strict.anonKey, headers })).status;
    for (const Origin of good) expect.soft(await statusOf({ Origin }), Origin).toBe(101);
    for (const Origin of bad) {
      expect.soft(await statusOf({ Origin }), Origin).toBe(403);
      expect.soft(await statusOf({ origin: Origin, Host: "app.example.com" }), Origin).toBe(403);
    }
    expect(await statusOf({ Origin: good[0]!, origin: bad[0]! })).toBe(400);
    // What is no browser sends none.
    expect(await statusOf({})).toBe(101);
    await strict.stop();
  });
});

describe("R10 what is no message", () => {
  const text = (payload: string | Buffer, firstBits = 0x80, opcode = 1) => clientFrame(opcode, payload, firstBits);
  const head = (...bytes: number[]) => Buffer.from(bytes);
  const heartbeat = JSON.stringify([null, "1", "phoenix", "heartbeat", {}]);
  const long = (bytes: bigint) => {
    const frame = Buffer.alloc(14);
    frame[0] = 0x81;
    frame[1] = 0xff;
    frame.writeBigUInt64BE(bytes, 2);
    return frame;
  };

  test.each<[what: string, frames: Buffer[], code: number, version?: "1.0.0"]>([
    ["a frame that is not masked", [Buffer.concat([head(0x81, heartbeat.length), Buffer.from(heartbeat)])], 1002],
    ["one that says it is compressed", [text(heartbeat, 0xc0)], 1002],
    ["a reserved bit", [text(heartbeat, 0xa0)], 1002],
    ["another reserved bit", [text(heartbeat, 0x90)], 1002],
    ["a reserved opcode", [text(heartbeat, 0x80, 3)], 1002],
    ["a reserved control opcode", [text("", 0x80, 11)], 1002],
    ["a control frame in parts", [text("", 0, 9)], 1002],
    ["a ping of 126 bytes", [text(Buffer.alloc(126), 0x80, 9)], 1002],
    ["a pong of 64 KiB", [text(Buffer.alloc(65_536), 0x80, 10)], 1002],
    ["a close of one byte", [text(Buffer.alloc(1), 0x80, 8)], 1002],
    ["a close with a code that is none", [text(head(0x03, 0xed), 0x80, 8)], 1002],
    ["a continuation of nothing", [text(heartbeat, 0x80, 0)], 1002],
    ["a text within another", [text("[", 0), text(heartbeat)], 1002],
    ["text that is not UTF-8", [text(Buffer.from([0xc3, 0x28]))], 1007],
    [
      "text that is not UTF-8 in two parts",
      [text(Buffer.from([0xf0, 0x9f]), 0), text(Buffer.from([0x28]), 0x80, 0)],
      1007,
    ],
    ["a reason of a close that is not UTF-8", [text(head(0x03, 0xe8, 0xff), 0x80, 8)], 1007],
    ["no JSON", [text("{")], 1007],
    ["a binary header beyond its end", [text(head(3, 255, 255, 255, 255, 255, 1), 0x80, 2)], 1007],
    ["bytes to version 1", [text(head(3, 0, 0, 0, 0, 0, 0), 0x80, 2)], 1003, "1.0.0"],
    ["more than a message may have", [text(`"${"x".repeat(100_000)}"`)], 1009],
    ["more than that in two parts", [text(`"${"x".repeat(60_000)}`, 0), text(`${"x".repeat(60_000)}"`, 0x80, 0)], 1009],
    ["a length of 2^31, before any of it", [long(2n ** 31n)], 1009],
    ["a length of 2^53", [long(2n ** 53n)], 1009],
    ["a length of 2^63", [long(2n ** 63n)], 1009],
    ["a thousand parts of nothing", [text("[", 0), ...Array.from({ length: 1_500 }, () => text("", 0, 0))], 1008],
  ])("R10 %s", async (_what, frames, code, version) => {
    const client = await app.connect(version === undefined ? {} : { version });
    for (const frame of frames) client.raw(frame);
    const { code: got } = await client.closed;
    // A close frame that is none may end it either way, but never well.
    expect(got).toBe(code);
    await expectServed();
  });

  test("R10 compression is not taken up, whatever is offered", async () => {
    for (const offer of [
      "permessage-deflate",
      "permessage-deflate; server_max_window_bits=15; client_max_window_bits",
      "permessage-deflate; server_no_context_takeover, permessage-deflate",
      "x-webkit-deflate-frame",
    ]) {
      const { status, head: answer } = await handshake(app.url, {
        key: app.anonKey,
        headers: { "Sec-WebSocket-Extensions": offer },
      });
      expect(status).toBe(101);
      expect(answer.toLowerCase()).not.toContain("sec-websocket-extensions");
    }
    for (const offer of ["permessage-deflate; server_max_window_bits=99", ";;;", "=", '"', "\u0001"]) {
      const { status } = await handshake(app.url, { key: app.anonKey, headers: { "Sec-WebSocket-Extensions": offer } });
      expect([101, 400]).toContain(status);
    }
  });

  test(`R10 X09 ${inputs} random frames: none is more than a bad message, and others do not notice`, async () => {
    const roll = dice(seed);
    const words = [
      "phx_join",
      "phx_leave",
      "access_token",
      "broadcast",
      "presence",
      "heartbeat",
      "postgres_changes",
      "system",
      "x",
    ];
    const topics = ["realtime:a", "realtime:", "phoenix", "", "realtime:others", "realtime:b".repeat(40)];
    const odd: readonly unknown[] = [
      null,
      0,
      -1,
      1e308,
      "",
      "\u0000",
      [],
      {},
      [[]],
      true,
      "x".repeat(2_000),
      { __proto__: null },
    ];
    const pick = <T>(values: readonly T[]): T => values[roll(values.length)]!;
    const deep = (depth: number): string => "[".repeat(depth) + "]".repeat(depth);
    const join = () => ({
      config: pick([
        { broadcast: pick(odd), presence: pick(odd), postgres_changes: pick(odd), private: pick(odd) },
        {
          postgres_changes: [
            pick(odd),
            { event: pick(odd), schema: pick(odd), table: pick(odd), filter: pick(odd), select: pick(odd) },
          ],
        },
        pick(odd),
      ]),
      access_token: pick([...odd, app.anonKey, tokenOf(userId(1))]),
    });
    const message = (): string =>
      pick([
        () => JSON.stringify([pick(odd), pick(odd), pick(topics), pick(words), pick([join(), pick(odd)])]),
        () =>
          JSON.stringify([
            "first",
            "first",
            pick(topics),
            pick(words),
            { type: pick(words), event: pick(words), payload: pick(odd) },
          ]),
        () =>
          JSON.stringify({
            topic: pick(topics),
            event: pick(words),
            payload: join(),
            ref: pick(odd),
            join_ref: pick(odd),
          }),
        () => JSON.stringify(pick(odd)),
        // At least one deep: of nothing it would be empty, and what is empty is no JSON.
        () => deep(1 + roll(5_000)),
        () =>
          '{"__proto__":{"isOpen":true},"constructor":{"prototype":{"x":1}},"topic":"realtime:a","event":"phx_join","payload":{}}',
      ])();
    const broadcast = (): Buffer => {
      const lengths = Array.from({ length: 6 }, () => roll(pick([2, 20, 256])));
      return Buffer.concat([Buffer.from([pick([3, 0, 4, 1, 9]), ...lengths]), randomBytes(roll(300))]);
    };
    const mutated = (frame: Buffer): Buffer => {
      const copy = Buffer.from(frame);
      for (let times = roll(4); times > 0; times--) copy[roll(Math.min(copy.length, 64))] = roll(256);
      return copy;
    };
    const whole = (version: string): Buffer => {
      if (version === "1.0.0" || roll(4) > 0) return clientFrame(1, message());
      const payload = pick([message(), randomBytes(roll(300))]);
      return clientFrame(2, broadcastFrame(pick(topics).slice(0, 200), pick(["", "1"]), pick(words), payload));
    };
    const broken = (): Buffer =>
      pick([
        () => mutated(clientFrame(1, message())),
        () => clientFrame(2, broadcast()),
        () => mutated(clientFrame(2, broadcast())),
        () => randomBytes(1 + roll(200)),
        () => clientFrame(roll(16), randomBytes(roll(130)), roll(256) & 0xf0),
      ])();
    const before = rss();
    const codes = new Map<number, number>();
    let left = inputs;
    const one = async (): Promise<void> => {
      while (left > 0) {
        const client = await app.connect({ version: pick(["1.0.0", "2.0.0"]) });
        // Many that are messages, of a kind; then one that may be the last, because it is none.
        for (let frames = roll(40); frames > 0 && left > 1; frames--, left--) client.raw(whole(client.version));
        expect(await client.beat(), `seed ${seed}`).toBe(true);
        client.raw(broken());
        left--;
        // What is a beginning is waited for.
        const ended = await Promise.race([client.closed, sleep(20).then(() => null)]);
        if (ended !== null) codes.set(ended.code, (codes.get(ended.code) ?? 0) + 1);
        client.cut();
      }
    };
    await Promise.all(Array.from({ length: 16 }, one));
    await expectServed();
    for (const code of codes.keys()) expect([1002, 1003, 1005, 1006, 1007, 1008, 1009], `seed ${seed}`).toContain(code);
    expect(codes.get(1002)).toBeGreaterThan(0);
    expect(codes.get(1007)).toBeGreaterThan(0);
    expect(rss() - before).toBeLessThan(150 * 1024 * 1024);
    // Nothing of what was sent stays in what all objects have.
    expect(Object.keys(Object.prototype)).toEqual([]);
    expect(({} as { isOpen?: unknown }).isOpen).toBeUndefined();
  });

  test("B12 names of what all objects have are names like others", async () => {
    const client = await app.connect();
    const config = JSON.parse(
      '{"__proto__":{"private":true},"presence":{"enabled":true,"key":"__proto__"},"broadcast":{"self":true}}',
    );
    for (const name of ["__proto__", "constructor", "toString", "hasOwnProperty"]) {
      const topic = `realtime:${name}`;
      expect((await client.join(topic, config)).status).toBe("ok");
      const track = await client.ask(topic, "presence", { type: "presence", event: "track", payload: { [name]: 1 } });
      expect(track.status).toBe("ok");
      client.broadcast(topic, name, { [name]: name });
      const { payload } = await client.next((message) => message.topic === topic && message.event === "broadcast");
      expect([payload.event, JSON.stringify(payload.payload)]).toEqual([name, JSON.stringify({ [name]: name })]);
      const diff = await client.next((message) => message.topic === topic && message.event === "presence_diff");
      expect(Object.hasOwn(diff.payload.joins, "__proto__")).toBe(true);
    }
    client.cut();
  });
});

describe("R10 X07 requests to open a websocket that are none", () => {
  const valid = () => handshakeOf(app.url, { key: app.anonKey });

  test(`R10 ${inputs} random ones: refused or let in, and never more`, async () => {
    const roll = dice(seed + 1);
    const pick = <T>(values: readonly T[]): T => values[roll(values.length)]!;
    const lines = [
      "Sec-WebSocket-Key: x",
      "Sec-WebSocket-Key: ",
      "Sec-WebSocket-Version: 12",
      "Sec-WebSocket-Version: 13, 8",
      "Upgrade: h2c",
      "Upgrade: websocket, websocket",
      "Connection: close",
      "Connection: Upgrade, Upgrade",
      "Content-Length: 5",
      "Content-Length: -1",
      "Transfer-Encoding: chunked",
      "Transfer-Encoding: chunked\r\nContent-Length: 3",
      "Expect: 100-continue",
      `X-Long: ${"x".repeat(4_000)}`,
      "Sec-WebSocket-Protocol: ,,,",
      "Sec-WebSocket-Protocol: \u0000",
      'Sec-WebSocket-Extensions: permessage-deflate; x="',
      "Origin: \u0001",
      "x-api-key: ",
      `x-api-key: ${"e".repeat(3_000)}`,
      ": x",
      "no colon",
      "\tfolded",
      "Host: a\r\nHost: b",
    ];
    const request = (): Buffer => {
      const text = valid();
      const kind = roll(6);
      if (kind === 0) return randomBytes(1 + roll(400));
      if (kind === 1) return Buffer.from(text.slice(0, roll(text.length)));
      if (kind === 2) return Buffer.from(text.replace("\r\n", `\r\n${pick(lines)}\r\n`), "latin1");
      if (kind === 3)
        return Buffer.from(
          text.replace(/^GET/, pick(["POST", "PUT", "get", "CONNECT", "GET GET", "\u0000", "OPTIONS"])),
        );
      if (kind === 4) {
        const path = pick([
          "//",
          "/../",
          "?",
          "?apikey=%",
          `?vsn=${"9".repeat(roll(9_000))}`,
          "?apikey=a&apikey=b",
          "?vsn=3.0.0",
          "%00",
        ]);
        return Buffer.from(text.replace(/\?\S+/, path));
      }
      const bytes = Buffer.from(text);
      for (let times = 1 + roll(6); times > 0; times--) bytes[roll(bytes.length)] = roll(256);
      return bytes;
    };
    const before = rss();
    const statuses = new Map<number, number>();
    let left = inputs;
    const one = async (): Promise<void> => {
      while (left-- > 0) {
        const tcp = await openTcp(app.url);
        tcp.write(request());
        const said = (await Promise.race([
          once(tcp, "data"),
          once(tcp, "close"),
          sleep(10).then(() => []),
        ])) as unknown[];
        const status =
          said[0] instanceof Buffer ? Number(/^HTTP\/1\.1 (\d{3}) /.exec(said[0].toString("latin1"))?.[1] ?? -1) : 0;
        statuses.set(status, (statuses.get(status) ?? 0) + 1);
        tcp.destroy();
      }
    };
    await Promise.all(Array.from({ length: 32 }, one));
    await expectServed();
    // 0: it is waited for the rest of it, or the connection was closed without a word.
    for (const status of statuses.keys()) {
      expect(
        status === 0 || status === 101 || (status >= 200 && status < 500) || status === 501,
        `${status}, seed ${seed}`,
      ).toBe(true);
    }
    // A machine that is busy answers few of them within that time; those who wait for it get in, or are told why not.
    expect((await handshake(app.url, { key: app.anonKey })).status).toBe(101);
    expect((await handshake(app.url, {})).status).toBe(401);
    expect(rss() - before).toBeLessThan(150 * 1024 * 1024);
  });

  test("X07 those that never end are cut off, and hold up nobody", async () => {
    const slow = Array.from({ length: 200 }, async () => {
      const tcp: Socket = await openTcp(app.url);
      const text = valid();
      let at = 0;
      const drip = setInterval(() => tcp.write(text[at++] ?? ""), 50);
      const closed = new Promise<void>((resolve) => {
        tcp.once("close", () => {
          clearInterval(drip);
          resolve();
        });
      });
      return closed;
    });
    for (let times = 0; times < 10; times++) {
      await expectServed();
      const client = await app.connect();
      expect((await client.join("realtime:meanwhile")).status).toBe("ok");
      client.cut();
      await sleep(100);
    }
    await Promise.all(slow);
  });
});
