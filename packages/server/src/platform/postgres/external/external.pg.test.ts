import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { connect as connectSocket, createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { TLSSocket } from "node:tls";
import { type TestDatabase, testDatabase } from "@mainstay/testing";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Observation } from "../../observe/observation.ts";
import { checkExternalPostgres, connectTo, openExternalPostgres, parseConnectionUrl } from "./index.ts";

let database: TestDatabase;
let folder: string;
const plainUser = `plain_${process.pid}`;

beforeAll(async () => {
  database = await testDatabase();
  folder = mkdtempSync(join(tmpdir(), "external-"));
});
afterAll(async () => {
  await database.drop();
  rmSync(folder, { recursive: true });
});

const withParameters = (parameters: string, change: (url: URL) => void = () => {}): string => {
  const url = new URL(database.url);
  change(url);
  return `${url.href}?${parameters}`;
};

describe("an external PostgreSQL", () => {
  it("is found fit, with sslmode=prefer settled to what the server has", async () => {
    const seen: Observation[] = [];
    const postgres = await openExternalPostgres({ url: database.url, observe: (one) => seen.push(one) });
    expect(postgres.target).toMatchObject({ database: database.name, tls: { mode: "disable" } });
    expect(postgres.requirements.filter(({ state }) => state === "missing")).toEqual([]);
    expect(seen).toContainEqual({ kind: "postgres.ready", version: postgres.version });
  });

  it("gives the whole list of what a plain user lacks, and changes nothing", async () => {
    const admin = new pg.Client({ connectionString: database.url });
    await admin.connect();
    try {
      await admin.query(`drop role if exists ${plainUser}`);
      await admin.query(`create role ${plainUser} login password 'plain'`);
      const url = withParameters("", (it) => {
        it.username = plainUser;
        it.password = "plain";
      });
      const requirements = await checkExternalPostgres(url);
      expect(requirements.find(({ name }) => name === "create schemas")).toMatchObject({ state: "missing" });
      await expect(openExternalPostgres({ url, observe: () => {} })).rejects.toMatchObject({
        code: "postgres/requirements-missing",
        message: expect.stringContaining("grant create on database"),
      });
      const { rows } = await admin.query(
        "select nspname from pg_namespace where nspowner = (select oid from pg_roles where rolname = $1)",
        [plainUser],
      );
      expect(rows).toEqual([]);
    } finally {
      await admin.query(`drop role if exists ${plainUser}`);
      await admin.end();
    }
  });

  it.each([
    ["a wrong password", { password: "wrong" }, "28P01", /password and the server's pg_hba/],
    ["no such database", { pathname: "/no_such" }, "3D000", /create database "no_such"/],
    ["nobody listening", { port: "1" }, "ECONNREFUSED", /runs and listens/],
  ])("says what to do for %s", async (_, change, code, hint) => {
    await expect(
      checkExternalPostgres(withParameters("", (url) => void Object.assign(url, change))),
    ).rejects.toMatchObject({
      code: "postgres/unreachable",
      hint: expect.stringMatching(hint),
      message: expect.not.stringContaining("wrong@"),
      cause: expect.objectContaining({ code }),
    });
  });

  it("is refused when TLS is demanded and not there", async () => {
    await expect(checkExternalPostgres(withParameters("sslmode=require"))).rejects.toMatchObject({
      code: "postgres/unreachable",
      hint: expect.stringContaining("offers no TLS"),
    });
  });
});

/** TLS in front of the real server, as managed services have it: answers SSLRequest and passes the rest on. */
describe("TLS", () => {
  let front: Server;
  let port: number;
  let authority: string;
  const open = new Set<Socket>();

  beforeAll(async () => {
    authority = makeCertificates(folder);
    const key = readFileSync(join(folder, "server.key"));
    const cert = readFileSync(join(folder, "server.pem"));
    const behind = parseConnectionUrl(database.url);
    front = createServer((socket) => {
      open.add(socket);
      socket.on("error", () => {});
      socket.once("data", () => {
        socket.write("S");
        const secure = new TLSSocket(socket, { isServer: true, key, cert });
        secure.on("error", () => {});
        const onward = connectSocket(behind.port, behind.host);
        open.add(onward);
        onward.on("error", () => {});
        secure.pipe(onward).pipe(secure);
      });
    });
    await new Promise<void>((resolve) => front.listen(0, "127.0.0.1", resolve));
    port = (front.address() as { port: number }).port;
  });
  afterAll(async () => {
    for (const socket of open) socket.destroy();
    await new Promise((resolve) => front.close(resolve));
  });

  const at = (host: string, parameters: string) =>
    withParameters(parameters, (url) => {
      url.hostname = host;
      url.port = String(port);
    });
  const settledMode = async (url: string): Promise<string> => {
    const { client, target } = await connectTo(parseConnectionUrl(url));
    await client.end();
    return target.tls.mode;
  };

  it("is used by prefer and require without asking who is there", async () => {
    expect(await settledMode(at("127.0.0.1", "sslmode=prefer"))).toBe("require");
    expect(await settledMode(at("127.0.0.1", "sslmode=require"))).toBe("require");
  });

  it("verifies the authority with verify-ca, and the name as well with verify-full", async () => {
    expect(await settledMode(at("127.0.0.1", `sslmode=verify-ca&sslrootcert=${authority}`))).toBe("verify-ca");
    expect(await settledMode(at("localhost", `sslmode=verify-full&sslrootcert=${authority}`))).toBe("verify-full");
    await expect(
      checkExternalPostgres(at("127.0.0.1", `sslmode=verify-full&sslrootcert=${authority}`)),
    ).rejects.toMatchObject({ hint: expect.stringContaining("the name in the certificate") });
  });

  it("does not trust an authority it was not given", async () => {
    for (const mode of ["verify-ca", "verify-full"]) {
      await expect(checkExternalPostgres(at("localhost", `sslmode=${mode}`))).rejects.toMatchObject({
        hint: expect.stringContaining("sslrootcert"),
      });
    }
  });
});

/** A certificate authority, and a certificate of it for the name `localhost`. @returns the authority's path */
function makeCertificates(dir: string): string {
  const openssl = (...args: string[]) => execFileSync("openssl", args, { cwd: dir, stdio: "ignore" });
  const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"];
  openssl("req", "-x509", ...key, "-subj", "/CN=test authority", "-keyout", "ca.key", "-out", "ca.pem");
  openssl(
    "req",
    "-x509",
    ...key,
    "-subj",
    "/CN=localhost",
    "-addext",
    "subjectAltName=DNS:localhost",
    "-CA",
    "ca.pem",
    "-CAkey",
    "ca.key",
    "-keyout",
    "server.key",
    "-out",
    "server.pem",
  );
  return join(dir, "ca.pem");
}
