import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { type AddressInfo, connect, createServer as createTcpServer, type Server } from "node:net";
import { afterEach, describe, expect, test } from "vitest";
import { checkedLookup } from "./checked-lookup.ts";
import { isPublicAddress, OutboundError, type OutboundRequest, outboundRequest } from "./index.ts";

const bounds = { timeoutMs: 2_000, maxBytes: 1_000 };
const servers: Server[] = [];

afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => new Promise((closed) => server.close(closed))));
});

async function listen(server: Server): Promise<string> {
  servers.push(server);
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const serve = (handle: (request: IncomingMessage, reply: ServerResponse) => void) => listen(createServer(handle));

const failure = async (url: string, request: Partial<OutboundRequest> = {}): Promise<OutboundError> => {
  const error = await outboundRequest(url, { ...bounds, ...request }).then(
    () => null,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(OutboundError);
  return error as OutboundError;
};

describe("a request", () => {
  test("carries method, headers and body, and brings back status, headers and body", async () => {
    const url = await serve(async (request, reply) => {
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(chunk);
      reply.writeHead(422, { "X-Seen": `${request.method} ${request.headers["x-sent"]}` });
      reply.end(Buffer.concat(chunks).toString().toUpperCase());
    });
    const reply = await outboundRequest(url, {
      ...bounds,
      method: "POST",
      headers: { "X-Sent": "one" },
      body: "grüße",
    });
    expect([reply.status, reply.headers.get("x-seen"), reply.body.toString()]).toEqual([422, "POST one", "GRÜSSE"]);
  });

  test("A30 follows no redirect, wherever it leads", async () => {
    let wasFollowed = false;
    const target = await serve((_, reply) => {
      wasFollowed = true;
      reply.end("secret");
    });
    for (const status of [301, 302, 303, 307, 308]) {
      const url = await serve((_, reply) => reply.writeHead(status, { Location: target }).end("x"));
      expect((await failure(url)).reason).toBe("redirect");
    }
    expect(wasFollowed).toBe(false);
  });

  test("A30 is bounded in size, said beforehand or not", async () => {
    const declared = await serve((_, reply) =>
      reply.writeHead(200, { "Content-Length": "1001" }).end("x".repeat(1001)),
    );
    const streamed = await serve((_, reply) => {
      reply.write("x".repeat(600));
      reply.end("x".repeat(401));
    });
    const endless = await serve((_, reply) => {
      const timer = setInterval(() => reply.write("x".repeat(100)), 1);
      reply.on("close", () => clearInterval(timer));
    });
    for (const url of [declared, streamed, endless]) expect((await failure(url)).reason).toBe("too-large");
    const fits = await serve((_, reply) => reply.end("x".repeat(1000)));
    expect((await outboundRequest(fits, bounds)).body).toHaveLength(1000);
  });

  test("A30 is bounded in time: before the head, in the body, drop by drop", async () => {
    const silent = await serve(() => {});
    const stuck = await serve((_, reply) => void reply.write("x"));
    const dripping = await serve((_, reply) => {
      const timer = setInterval(() => reply.write("x"), 20);
      reply.on("close", () => clearInterval(timer));
    });
    for (const url of [silent, stuck, dripping]) {
      expect((await failure(url, { timeoutMs: 150 })).reason).toBe("timeout");
    }
  });

  test("gives up with the caller's own reason", async () => {
    const url = await serve((_, reply) => void reply.write("x"));
    const abort = new AbortController();
    const answer = outboundRequest(url, { ...bounds, signal: abort.signal });
    const reason = new Error("stopping");
    setTimeout(() => abort.abort(reason), 50);
    await expect(answer).rejects.toBe(reason);
  });

  test("says network for what is no answer", async () => {
    const closed = await serve(() => {});
    await new Promise((done) => servers.pop()!.close(done));
    const noHttp = await listen(createTcpServer((socket) => void socket.resume().end("hello\r\n\r\n")));
    const cut = await serve((_, reply) => {
      reply.writeHead(200, { "Content-Length": "100" });
      reply.write("x", () => reply.destroy());
    });
    for (const url of [closed, noHttp, cut, "file:///etc/passwd", "ftp://127.0.0.1/", "nonsense", "http://"]) {
      expect([url, (await failure(url)).reason]).toEqual([url, "network"]);
    }
  });

  test("uses a connection again only where it may be repeated, and survives one that was closed meanwhile", async () => {
    const sockets = new Set<unknown>();
    const server = createServer((request, reply) => {
      sockets.add(request.socket);
      reply.end("x");
    });
    const url = await listen(server);
    await outboundRequest(url, bounds);
    await outboundRequest(url, bounds);
    expect(sockets.size).toBe(2);
    await outboundRequest(url, { ...bounds, isRepeatable: true });
    await outboundRequest(url, { ...bounds, isRepeatable: true });
    expect(sockets.size).toBe(3);
    server.closeIdleConnections();
    expect((await outboundRequest(url, { ...bounds, isRepeatable: true })).status).toBe(200);
    await outboundRequest(url, { ...bounds, isRepeatable: true, isAllowedAddress: () => true });
    expect(sockets.size).toBe(5);
    server.closeAllConnections();
  });
});

/** How one may write this machine and the clouds' metadata service; the URL parser reads some of them, the resolver others. */
const spellings = [
  "127.0.0.1",
  "127.1",
  "127.0.1",
  "127.1.2.3",
  "127.255.255.254",
  "0177.0.0.1",
  "0177.1",
  "0x7f.0.0.1",
  "0x7f.1",
  "0x7f000001",
  "0X7F000001",
  "0x7f.0x0.0x0.0x1",
  "017700000001",
  "2130706433",
  "127.0.0.1.",
  "127。0。0。1",
  "１２７.０.０.１",
  "①②⑦.0.0.1",
  "%31%32%37.0.0.1",
  "0",
  "0.0.0.0",
  "0x0",
  "00",
  "0.0.0.1",
  "localhost",
  "LOCALHOST",
  "localhost.",
  "ⓛocalhost",
  "[::1]",
  "[0:0:0:0:0:0:0:1]",
  "[0000:0000:0000:0000:0000:0000:0000:0001]",
  "[::0.0.0.1]",
  "[::]",
  "[::ffff:127.0.0.1]",
  "[::ffff:7f00:1]",
  "[::FFFF:7F00:0001]",
  "[0:0:0:0:0:ffff:127.0.0.1]",
  "[::127.0.0.1]",
  "[64:ff9b::127.0.0.1]",
  "[64:ff9b::7f00:1]",
  "[64:ff9b:1::7f00:1]",
  "[2002:7f00:1::]",
  "[2002:7f00:0001::1]",
  "[2001:0:7f00:1::]",
  "[fe80::1]",
  "[fc00::1]",
  "[fd00:ec2::254]",
  "169.254.169.254",
  "0251.0376.0251.0376",
  "0xa9.0xfe.0xa9.0xfe",
  "0xa9fea9fe",
  "2852039166",
  "169.254.43518",
  "169.16689662",
  "025177524776",
  "0xA9.254.0251.254",
  "[::ffff:169.254.169.254]",
  "[::ffff:a9fe:a9fe]",
  "[0:0:0:0:0:FFFF:A9FE:A9FE]",
  "[64:ff9b::a9fe:a9fe]",
  "[2002:a9fe:a9fe::]",
  "[::a9fe:a9fe]",
  "169。254。169。254",
  "１６９.254.169.254",
];

describe("X01", () => {
  test("has at least sixty spellings of what must not be reached", () => {
    expect(new Set(spellings).size).toBeGreaterThanOrEqual(60);
  });

  test.each(spellings)("%s is refused before anything is sent", async (host) => {
    let wasReached = false;
    const url = await serve((_, reply) => {
      wasReached = true;
      reply.end();
    });
    const { reason } = await failure(`http://${host}:${new URL(url).port}/`, { isAllowedAddress: isPublicAddress });
    // Whether a resolver knows this name with its dot is its own affair; it must not be reached either way.
    if (host !== "localhost.") expect(reason).toBe("address");
    expect(wasReached).toBe(false);
  });

  test.each([
    "10.0.0.1",
    "100.64.0.1",
    "100.127.255.255",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.1.1",
    "192.0.0.1",
    "192.0.2.1",
    "198.18.0.1",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "fe80::1%eth0",
    "fec0::1",
    "ff02::1",
    "100::1",
    "2001:db8::1",
    "2001:10::1",
    "3fff::1",
    "::ffff:0:127.0.0.1",
    "not an address",
    "",
  ])("%j is not public", (address) => {
    expect(isPublicAddress(address)).toBe(false);
  });

  test.each([
    "1.1.1.1",
    "100.63.255.255",
    "100.128.0.0",
    "172.15.255.255",
    "172.32.0.0",
    "192.167.255.255",
    "223.255.255.255",
    "2606:4700:4700::1111",
    "2001:4860:4860::8888",
    "::ffff:8.8.8.8",
    "64:ff9b::808:808",
  ])("%s is public", (address) => {
    expect(isPublicAddress(address)).toBe(true);
  });

  test("a name that means another address the next moment is asked about once, and the checked address is used", async () => {
    const answers = [["8.8.8.8"], ["127.0.0.1"]];
    const lookup = checkedLookup(isPublicAddress, (_host, _options, done) =>
      done(
        null,
        answers.shift()!.map((address) => ({ address, family: 4 })),
      ),
    );
    const given = await new Promise((done) => lookup("rebind.example", { all: true }, (...result) => done(result)));
    expect(given).toEqual([null, [{ address: "8.8.8.8", family: 4 }]]);
    expect(answers).toHaveLength(1);
    // A socket takes what the lookup hands on and asks nobody else.
    const asked: string[] = [];
    const socket = connect({
      host: "rebind.example",
      port: 1,
      lookup: checkedLookup(
        () => true,
        (host, _options, done) => {
          asked.push(host);
          done(null, [{ address: "127.0.0.1", family: 4 }]);
        },
      ),
    });
    const error = await new Promise<NodeJS.ErrnoException & { address?: string }>((failed) =>
      socket.once("error", failed),
    );
    expect([error.code, error.address, asked]).toEqual(["ECONNREFUSED", "127.0.0.1", ["rebind.example"]]);
  });

  test("one forbidden address among several refuses the name, and so does none at all", async () => {
    for (const addresses of [["8.8.8.8", "10.0.0.1"], ["2606:4700::1", "::1"], []]) {
      const lookup = checkedLookup(isPublicAddress, (_host, _options, done) =>
        done(
          null,
          addresses.map((address) => ({ address, family: address.includes(":") ? 6 : 4 })),
        ),
      );
      const error = await new Promise((done) => lookup("mixed.example", {}, done));
      expect(error).toMatchObject({ reason: "address" });
    }
  });
});
