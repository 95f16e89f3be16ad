import { createServer, type Server } from "node:http";
import { type AddressInfo, createServer as createTcpServer, type Server as TcpServer } from "node:net";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { openThread, type TestThread, type TestThreadOptions } from "../harness.testing.ts";

/** Every connection that came where none may. */
let arrived: string[] = [];
let inside: TcpServer;
let insidePort: number;
const threads: TestThread[] = [];
const servers: Server[] = [];

beforeAll(async () => {
  inside = createTcpServer((socket) => {
    arrived.push(String(socket.localAddress));
    socket.destroy();
  });
  await new Promise<void>((listening) => inside.listen(0, "::", listening));
  insidePort = (inside.address() as AddressInfo).port;
});
afterAll(() => inside.close());
beforeEach(() => {
  arrived = [];
});
afterEach(async () => {
  await Promise.all(threads.splice(0).map((thread) => thread.stop()));
  for (const server of servers.splice(0)) server.close();
});

/** A function that tries what it is sent: `[client, host, port]`, and says what has come of it. */
const trying = `
import http from "node:http"; import https from "node:https"; import http2 from "node:http2"; import net from "node:net"; import tls from "node:tls";
const closing = (emitter, ready) => new Promise((resolve) => {
  emitter.on(ready, () => { resolve("reached"); emitter.destroy(); });
  emitter.on("error", (error) => resolve(error.code ?? error.message));
});
const urlOf = (scheme, host, port) => scheme + "://" + host + ":" + port + "/";
const raw = (host) => host.replace(/^\\[|\\]$/g, "");
const clients = {
  fetch: (host, port) => fetch(urlOf("http", host, port)).then((r) => "reached " + r.status, (e) => e.cause?.code ?? e.cause?.message ?? e.message),
  fetchTls: (host, port) => fetch(urlOf("https", host, port)).then(() => "reached", (e) => e.cause?.code ?? e.cause?.message ?? e.message),
  http: (host, port) => closing(http.get(urlOf("http", host, port)), "response"),
  https: (host, port) => closing(https.get(urlOf("https", host, port)), "response"),
  httpHost: (host, port) => closing(http.request({ host: raw(host), port }).end(), "response"),
  http2: (host, port) => closing(http2.connect(urlOf("http", host, port)), "connect"),
  net: (host, port) => closing(net.connect(port, raw(host)), "connect"),
  netOptions: (host, port) => closing(new net.Socket().connect({ host: raw(host), port, autoSelectFamily: true }), "connect"),
  tls: (host, port) => closing(tls.connect({ host: raw(host), port, rejectUnauthorized: false }), "secureConnect"),
  websocket: (host, port) => new Promise((resolve) => {
    const socket = new WebSocket(urlOf("ws", host, port));
    socket.onopen = () => resolve("reached"); socket.onerror = () => resolve("failed");
  }),
};
export default async (request) => {
  const tries = await request.json();
  return Response.json(await Promise.all(tries.map(async ([client, host, port]) => {
    try { return await clients[client](host, port); } catch (error) { return error.code ?? error.message; }
  })));
};`;
const clients = "fetch fetchTls http https httpHost http2 net netOptions tls websocket".split(" ");

async function tryAll(
  tries: readonly (readonly [string, string, number])[],
  options: TestThreadOptions = {},
): Promise<string[]> {
  const thread = await openThread(trying, options);
  threads.push(thread);
  const outcome = await thread.request({ body: JSON.stringify(tries) });
  if (!("status" in outcome)) throw new Error(JSON.stringify(outcome));
  return JSON.parse(outcome.body!) as string[];
}

describe("X01 X23 spellings of addresses that are not public", () => {
  const spellings = [
    ..."127.0.0.1 127.1 127.0.1 127.0.0.1. 127.0.0.2 127.255.255.254 0x7f.1 0x7f.0.0.1 0x7f000001 0x7f.0x0.0x0.0x1".split(
      " ",
    ),
    ..."2130706433 017700000001 0177.0.0.1 0177.0.0.01 0177.0x0.0.1 0 0.0.0.0 0x0 localhost LOCALHOST localhost.".split(
      " ",
    ),
    ..."[::1] [0:0:0:0:0:0:0:1] [0000::0001] [::] [::ffff:127.0.0.1] [::ffff:7f00:1] [0:0:0:0:0:ffff:7f00:0001]".split(
      " ",
    ),
    ..."[::127.0.0.1] [64:ff9b::7f00:1] [64:ff9b::127.0.0.1] [2002:7f00:1::] [::ffff:0:127.0.0.1]".split(" "),
    ..."%31%32%37.0.0.1 １２７.0.0.1 ①②⑦.⓪.⓪.① 127。0。0。1 example.com@127.0.0.1 a:b@127.1".split(" "),
    ..."169.254.169.254 0xa9fea9fe 2852039166 0251.0376.0251.0376 169.254.43518 169.16689662 025177524776".split(" "),
    ..."0xa9.0xfe.0xa9.0xfe 0251.254.169.254 [::ffff:a9fe:a9fe] [::ffff:169.254.169.254] [64:ff9b::a9fe:a9fe]".split(
      " ",
    ),
    ..."[2002:a9fe:a9fe::] [::a9fe:a9fe] [fd00:ec2::254] 100.100.100.200 10.0.0.1 172.16.0.1 192.168.0.1 198.18.0.1".split(
      " ",
    ),
    ..."[fe80::1] [fc00::1] [ff02::1] 224.0.0.1 255.255.255.255 192.0.0.192".split(" "),
  ];

  test("are more than sixty", () => {
    expect(new Set(spellings).size).toBeGreaterThan(60);
  });

  test.each(clients)("are not reached by %s", async (client) => {
    const results = await tryAll(spellings.map((host) => [client, host, insidePort] as const));
    expect(results).toHaveLength(spellings.length);
    const known =
      /^(ERR_ADDRESS_REFUSED|ERR_INVALID_URL|ENOTFOUND|EAI_AGAIN|EAI_FAIL|ERR_INVALID_CHAR|failed|Invalid URL|.*invalid.*|.*includes credentials.*)$/i;
    const surprising = results.flatMap((result, at) => (known.test(result) ? [] : [`${spellings[at]}: ${result}`]));
    expect(surprising).toEqual([]);
    if (client !== "websocket") expect(results[0]).toBe("ERR_ADDRESS_REFUSED");
    expect(arrived).toEqual([]);
  });
});

describe("X01 names", () => {
  test("that stand for a private address are refused, also when only one of several is", async () => {
    const results = await tryAll(
      clients.flatMap((client) => [
        [client, "inside.test", insidePort] as const,
        [client, "both.test", insidePort] as const,
      ]),
      { names: { "inside.test": [["127.0.0.1"]], "both.test": [["93.184.216.34", "127.0.0.1"]] } },
    );
    expect(new Set(results)).toEqual(new Set(["ERR_ADDRESS_REFUSED", "failed"]));
    expect(arrived).toEqual([]);
  });

  test("that change between two questions are asked about each time, and once for a connection", async () => {
    // The first answer is public and leads nowhere in time; whoever asked again for that connection would get the second.
    const names = { "rebind.test": [["192.0.2.1"], ["127.0.0.1"]] };
    const results = await tryAll(
      [
        ["net", "rebind.test", insidePort],
        ["net", "rebind.test", insidePort],
      ],
      { names },
    );
    expect(results).toEqual(["ERR_ADDRESS_REFUSED", "ERR_ADDRESS_REFUSED"]);
    expect(arrived).toEqual([]);
  });

  test("are not the caller's to resolve", async () => {
    const thread = await openThread(
      `import net from "node:net"; import http from "node:http";
      const lookup = (host, options, done) => options.all ? done(null, [{ address: "127.0.0.1", family: 4 }]) : done(null, "127.0.0.1", 4);
      const closing = (emitter, ready) => new Promise((resolve) => {
        emitter.on(ready, () => resolve("reached")); emitter.on("error", (error) => resolve(error.code));
      });
      export default async () => Response.json([
        await closing(net.connect({ host: "mine.test", port: ${insidePort}, lookup }), "connect"),
        await closing(http.get({ host: "mine.test", port: ${insidePort}, lookup }), "response"),
      ]);`,
      { names: { "mine.test": [["10.0.0.1"]] } },
    );
    threads.push(thread);
    expect(await thread.request()).toMatchObject({ body: '["ERR_ADDRESS_REFUSED","ERR_ADDRESS_REFUSED"]' });
    expect(arrived).toEqual([]);
  });
});

describe("what the operator has named", () => {
  const listen = async (handle: Parameters<typeof createServer>[1]): Promise<number> => {
    const server = createServer(handle);
    servers.push(server);
    await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
    return (server.address() as AddressInfo).port;
  };

  test("is reached by its name, and no other name or port", async () => {
    const port = await listen((_request, reply) => reply.end("ok"));
    const results = await tryAll(
      [
        ["fetch", "weather.internal", port],
        ["http", "weather.internal", port],
        ["net", "weather.internal", port],
        ["fetch", "127.0.0.1", port],
        ["fetch", "other.internal", port],
        ["fetch", "weather.internal", insidePort],
      ],
      {
        init: { allowedHosts: [`weather.internal:${port}`] },
        names: { "weather.internal": [["127.0.0.1"]], "other.internal": [["127.0.0.1"]] },
      },
    );
    expect(results).toEqual(["reached 200", "reached", "reached", ...Array(3).fill("ERR_ADDRESS_REFUSED")]);
    expect(arrived).toEqual([]);
  });

  test("does not lead elsewhere by redirects, however many", async () => {
    let hops = 0;
    const port = await listen((_request, reply) => {
      hops++;
      const next =
        hops < 4 ? `http://weather.internal:${port}/${hops}` : `http://127.0.0.1:${insidePort}/latest/meta-data`;
      reply.writeHead(302, { location: next }).end();
    });
    const options = {
      init: { allowedHosts: [`weather.internal:${port}`] },
      names: { "weather.internal": [["127.0.0.1"]] },
    };
    expect(await tryAll([["fetch", "weather.internal", port]], options)).toEqual(["ERR_ADDRESS_REFUSED"]);
    expect(hops).toBe(4);
    expect(arrived).toEqual([]);
  });

  test("is the project's own URL, too", async () => {
    const port = await listen((_request, reply) => reply.end("ok"));
    const options = { init: { projectUrl: `http://127.0.0.1:${port}` } };
    expect(
      await tryAll(
        [
          ["http", "127.0.0.1", port],
          ["http", "127.0.0.1", insidePort],
        ],
        options,
      ),
    ).toEqual(["reached", "ERR_ADDRESS_REFUSED"]);
  });
});

describe("X23 ways around", () => {
  const evaluate = async (body: string): Promise<unknown> => {
    const thread = await openThread(
      `import net from "node:net"; import dns from "node:dns"; import http from "node:http"; import { AsyncResource, createHook } from "node:async_hooks";
      const ended = (socket) => new Promise((resolve) => {
        socket.on("connect", () => resolve("reached")); socket.on("error", (error) => resolve(error.code ?? error.message));
      });
      const port = ${insidePort}, fd = ${(inside as unknown as { _handle: { fd: number } })._handle.fd};
      export default async () => { try { return Response.json(await (async () => { ${body} })()); } catch (error) { return Response.json(error.code ?? error.message); } };`,
    );
    threads.push(thread);
    const outcome = await thread.request();
    if (!("status" in outcome)) throw new Error(JSON.stringify(outcome));
    return JSON.parse(outcome.body!);
  };

  test.each([
    ["a local socket", `return ended(net.connect("/var/run/docker.sock"));`, "ERR_ADDRESS_REFUSED"],
    [
      "a local socket by http",
      `return ended(http.get({ socketPath: "/var/run/docker.sock", path: "/" }));`,
      "ERR_ADDRESS_REFUSED",
    ],
    [
      "the handle's own method, exchanged",
      `const socket = new net.Socket(); socket.connect({ host: "127.0.0.1", port: 9 }); socket.on("error", () => {});
       const probe = new net.Socket(); probe.on("error", () => {}); probe.connect(53, "8.8.8.8");
       const prototype = Object.getPrototypeOf(probe._handle); const real = prototype.connect;
       prototype.connect = function (request) { return real.call(this, request, "127.0.0.1", port); };
       return "exchanged";`,
      "Cannot assign to read only property 'connect' of object '#<TCP>'",
    ],
    [
      "the handle itself, asked for another address",
      `let wrap; const hook = createHook({ init(_id, type, _trigger, resource) { if (type === "TCPCONNECTWRAP") wrap = resource; } }).enable();
       const socket = new net.Socket(); socket.on("error", () => {}); socket.connect(53, "8.8.8.8");
       const other = new net.Socket(); other.on("error", () => {}); other.connect(53, "8.8.4.4");
       await new Promise((done) => setImmediate(done)); hook.disable();
       const fresh = new socket._handle.constructor(0);
       const given = wrap === undefined ? "no request" : fresh.connect(wrap, "127.0.0.1", port);
       socket.destroy(); other.destroy(); return given;`,
      -13,
    ],
    [
      "another method on Socket",
      `net.Socket.prototype.connect = function () { return this; };
       let told; const socket = new net.Socket(); socket.on("error", (error) => { told = error.code; });
       return ended(net.connect(port, "127.0.0.1")).constructor === Promise ? "own method" : "no";`,
      "no",
    ],
    ["a socket of the process, by its number", `new net.Socket({ fd }); return "taken";`, "EACCES"],
    [
      "a socket of the process, as a file",
      `process.getBuiltinModule("fs").writeSync(fd, "x"); return "written";`,
      "EBADF",
    ],
    ["a name server inside", `dns.setServers(["127.0.0.1:" + port]); return "set";`, "ERR_ADDRESS_REFUSED"],
    [
      "a resolver of one's own",
      `const r = new dns.Resolver(); r.setServers(["10.0.0.2"]); return "set";`,
      "ERR_ADDRESS_REFUSED",
    ],
    [
      "the resolver's handle",
      `const r = new dns.Resolver(); r._handle.setServers([[4, "127.0.0.1", port]]); return "set";`,
      "ERR_ADDRESS_REFUSED",
    ],
    [
      "a check that always says yes",
      `net.BlockList.prototype.check = () => false; return "exchanged";`,
      /read only|object is not extensible/,
    ],
    [
      "a server",
      `return await new Promise((done, failed) => net.createServer().on("error", failed).listen(0, () => done("listens")));`,
      "ERR_ACCESS_DENIED",
    ],
    ["an http server", `http.createServer().listen(0); return "listens";`, "ERR_ACCESS_DENIED"],
  ])("%s", async (_what, body, expected) => {
    const result = await evaluate(body);
    if (expected instanceof RegExp) expect(result).toMatch(expected);
    else if (expected === "no") expect(result).not.toBe("reached");
    else expect(result).toBe(expected);
    expect(arrived).toEqual([]);
  });
});
