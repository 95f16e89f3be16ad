import { readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { TLSSocket } from "node:tls";
import { fileURLToPath } from "node:url";
import { freePort } from "@mainstay/testing";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type EmbeddedPostgres, openEmbeddedPostgres } from "../embedded/index.ts";
import { openSession } from "./index.ts";
import type { ConnectionTarget } from "./target.ts";
import { defaults, one, read } from "./testing.ts";
import type { Session } from "./types.ts";

/** A server of the file's own: to restart it, and to turn TLS on. */
let dir: string;
let port: number;
let server: EmbeddedPostgres;
const sessions: Session[] = [];
const tlsFile = (name: string): string => fileURLToPath(new URL(`testing-tls/${name}`, import.meta.url));

const start = (): Promise<EmbeddedPostgres> =>
  openEmbeddedPostgres({ dataDir: join(dir, "postgres"), settings: { postgresPort: port }, observe: () => {} });

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "mainstay-session-"));
  port = await freePort();
  server = await start();
});
afterAll(async () => {
  await Promise.all(sessions.map((session) => session.close(AbortSignal.timeout(1_000))));
  await server.stop();
  await rm(dir, { recursive: true, force: true });
});

async function session(changes: Partial<ConnectionTarget> = {}): Promise<Session> {
  const { connection } = server;
  const target: ConnectionTarget = {
    host: connection.host,
    port: connection.port,
    user: connection.superuser.user,
    password: connection.superuser.password,
    database: connection.database,
    tls: { mode: "disable", rootCertificatePath: null },
    applicationName: null,
    ...changes,
  };
  const opened = await openSession({ target, settings: defaults, observe: () => {} });
  sessions.push(opened);
  return opened;
}

test("speaks over a Unix socket, with SCRAM", async () => {
  expect(await one(await session(), read("select 'in'"))).toBe("in");
  await expect(session({ password: "wrong" })).rejects.toMatchObject({ sqlstate: "28P01" });
});

test("a restarted server is found again: reads wait for it, and prepared statements are made anew", async () => {
  const open = await session();
  await one(open, read("select $1::text", ["before"]));
  await server.stop();
  const waiting = one(open, read("select $1::text", ["during"]));
  server = await start();
  expect(await waiting).toBe("during");
  expect(await one(open, read("select $1::text", ["after"]))).toBe("after");
});

describe("TLS", () => {
  let door: TlsDoor;
  beforeAll(async () => {
    door = await openTlsDoor(port, readFileSync(tlsFile("server.pem")), readFileSync(tlsFile("server.key")));
  });
  afterAll(() => door.close());
  const over = (mode: ConnectionTarget["tls"]["mode"], host = "localhost", withRoot = true) =>
    session({ host, port: door.port, tls: { mode, rootCertificatePath: withRoot ? tlsFile("ca.pem") : null } });

  test.each(["prefer", "require", "verify-ca", "verify-full"] as const)("sslmode=%s is encrypted", async (mode) => {
    const before = door.encrypted();
    expect(await one(await over(mode), read("select 'sealed'"))).toBe("sealed");
    expect(door.encrypted()).toBeGreaterThan(before);
  });

  test("verify-full refuses a name the certificate does not have; verify-ca does not look at it", async () => {
    await expect(over("verify-full", "127.0.0.1")).rejects.toThrow(/altnames|Hostname\/IP/);
    expect(await one(await over("verify-ca", "127.0.0.1"), read("select 1"))).toBe("1");
  });

  test("a certificate of an unknown authority is refused where it is verified", async () => {
    await expect(over("verify-full", "localhost", false)).rejects.toThrow(/certificate|signed/i);
    expect(await one(await over("require", "localhost", false), read("select 1"))).toBe("1");
  });

  test("sslmode=require refuses a server without TLS, and never falls back", async () => {
    const plain = createServer((socket) => socket.on("data", () => socket.write("N")));
    await new Promise<void>((resolve) => plain.listen(0, "127.0.0.1", resolve));
    const { port: plainPort } = plain.address() as { port: number };
    await expect(
      session({ host: "127.0.0.1", port: plainPort, tls: { mode: "require", rootCertificatePath: null } }),
    ).rejects.toThrow(/does not offer TLS/);
    plain.close();
  });

  test("bytes slipped in before TLS are not believed (CVE-2021-23222)", async () => {
    const liar = createServer((socket) => socket.on("data", () => socket.write("SR\0\0\0\x08\0\0\0\0")));
    await new Promise<void>((resolve) => liar.listen(0, "127.0.0.1", resolve));
    const { port: liarPort } = liar.address() as { port: number };
    await expect(
      session({ host: "127.0.0.1", port: liarPort, tls: { mode: "prefer", rootCertificatePath: null } }),
    ).rejects.toThrow(/before TLS/);
    liar.close();
  });
});

test("a server that lets us in without proving that it knows the password is not believed", async () => {
  // AuthenticationSASL, then straight to AuthenticationOk and ReadyForQuery.
  const imposter = createServer((socket) => {
    let turn = 0;
    socket.on("data", () => {
      turn++;
      if (turn === 1)
        socket.write(Buffer.concat([message("R", Buffer.concat([int32(10), Buffer.from("SCRAM-SHA-256\0\0")]))]));
      else socket.write(Buffer.concat([message("R", int32(0)), message("Z", Buffer.from("I"))]));
    });
    socket.on("error", () => {});
  });
  await new Promise<void>((resolve) => imposter.listen(0, "127.0.0.1", resolve));
  const { port: imposterPort } = imposter.address() as { port: number };
  await expect(session({ host: "127.0.0.1", port: imposterPort })).rejects.toThrow(/without proving/);
  imposter.close();
});

const int32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
};
const message = (type: string, body: Buffer): Buffer =>
  Buffer.concat([Buffer.from(type), int32(body.length + 4), body]);

interface TlsDoor {
  readonly port: number;
  /** Connections that came in encrypted. */
  encrypted(): number;
  close(): void;
}

/** PostgreSQL behind TLS: answers the SSLRequest as the server does, and passes on what comes out of the encryption. */
async function openTlsDoor(behind: number, cert: Buffer, key: Buffer): Promise<TlsDoor> {
  let encrypted = 0;
  const door = createServer((outer) => {
    outer.on("error", () => {});
    outer.once("data", () => {
      outer.write("S");
      const inner = new TLSSocket(outer, { isServer: true, cert, key });
      const far = connect({ host: "127.0.0.1", port: behind });
      inner.on("secure", () => encrypted++);
      inner.on("error", () => far.destroy());
      far.on("error", () => inner.destroy());
      inner.pipe(far);
      far.pipe(inner);
    });
  });
  await new Promise<void>((resolve) => door.listen(0, "127.0.0.1", resolve));
  return { port: (door.address() as { port: number }).port, encrypted: () => encrypted, close: () => door.close() };
}
