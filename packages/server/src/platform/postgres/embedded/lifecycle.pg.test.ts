import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, realpathSync, rmSync, statSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { freePort } from "@mainstay/testing";
import { afterAll, describe, expect, it } from "vitest";
import { checkExternalPostgres } from "../external/index.ts";
import { postgresProcessesIn } from "./process-identity.ts";
import { gone, isLinux, query, Yard } from "./testing.ts";

const yard = new Yard();
afterAll(() => yard.clean());

const contents = (home: string): string[] =>
  readdirSync(home)
    .filter((name) => !name.startsWith("hold-"))
    .sort();

describe("a first start", () => {
  it("makes a database as we want it, keeps it over a restart, and leaves nothing running", async () => {
    const home = yard.newHome();
    const first = await yard.open(home);
    expect(first).toMatchObject({ isFirstStart: true, wasAdopted: false, version: expect.stringMatching(/^18\.\d+$/) });
    expect(
      await query(
        first,
        `select datlocprovider, datlocale, pg_encoding_to_char(encoding) as encoding,
                current_setting('data_checksums') as checksums, current_setting('wal_level') as wal_level,
                current_setting('synchronous_commit') as synchronous_commit, current_setting('listen_addresses') as listens,
                current_setting('max_slot_wal_keep_size') as kept, current_setting('fsync') as fsync,
                (select rolpassword like 'SCRAM-SHA-256$%' from pg_authid where rolname = 'postgres') as scram
           from pg_database where datname = 'postgres'`,
      ),
    ).toEqual([
      {
        datlocprovider: "b",
        datlocale: "C.UTF-8",
        encoding: "UTF8",
        checksums: "on",
        wal_level: "logical",
        synchronous_commit: "on",
        listens: "",
        kept: "2GB",
        fsync: "on",
        scram: true,
      },
    ]);
    await query(first, "create table kept as select 42 as answer");
    await first.stop();
    expect(postgresProcessesIn(join(home, "data"))).toEqual([]);

    const second = await yard.open(home);
    expect(second).toMatchObject({ isFirstStart: false, wasAdopted: false, connection: first.connection });
    expect(await query(second, "select answer from kept")).toEqual([{ answer: 42 }]);
    await second.stop();
    await second.stop();
    expect(contents(home)).toEqual(["data", "postgres.log", "run", "superuser-password"]);
  });

  it("that was cut off is made anew", async () => {
    const home = yard.newHome();
    mkdirSync(join(home, "data.unfinished", "base"), { recursive: true });
    const postgres = await yard.open(home);
    expect(postgres.isFirstStart).toBe(true);
    expect(contents(home)).not.toContain("data.unfinished");
    await postgres.stop();
  });

  it("given up by its caller leaves nothing half-made", async () => {
    const home = yard.newHome();
    const leaving = new AbortController();
    const opening = yard.open(home, {}, leaving.signal);
    setTimeout(() => leaving.abort(), 50);
    await expect(opening).rejects.toThrow();
    expect(contents(home).filter((name) => name.startsWith("data"))).toEqual([]);
  });
});

describe("secrets", () => {
  it("the password is in its private file, and not in arguments, environment or logs (A28)", async () => {
    const home = await yard.madeHome();
    const postgres = await yard.open(home);
    const { password } = postgres.connection.superuser;
    expect(password.length).toBeGreaterThanOrEqual(43);
    expect(readFileSync(join(home, "superuser-password"), "utf8").trim()).toBe(password);
    expect(statSync(join(home, "superuser-password")).mode & 0o777).toBe(0o600);
    const places = [readFileSync(join(home, "postgres.log"), "utf8"), JSON.stringify(yard.seen)];
    if (isLinux) {
      for (const pid of postgresProcessesIn(join(home, "data"))) {
        places.push(readFileSync(`/proc/${pid}/cmdline`, "utf8"), readFileSync(`/proc/${pid}/environ`, "utf8"));
      }
      expect(places.length).toBeGreaterThan(4);
    }
    for (const place of places) expect(place).not.toContain(password);
    await postgres.stop();
  });

  it.runIf(isLinux)("X23: PostgreSQL inherits nothing of our environment", async () => {
    process.env.MAINSTAY_TEST_SECRET = "hidden-from-postgres";
    const postgres = await yard.open(await yard.madeHome());
    const environment = readFileSync(`/proc/${postgres.pid()}/environ`, "utf8");
    const names = environment
      .split("\0")
      .filter(Boolean)
      .map((entry) => entry.split("=")[0]);
    expect(names.filter((name) => !name!.startsWith("PG")).sort()).toEqual(["LC_ALL", "LD_LIBRARY_PATH", "PATH", "TZ"]);
    delete process.env.MAINSTAY_TEST_SECRET;
    await postgres.stop();
  });

  it("a lost password file is replaced, with a new password", async () => {
    const home = await yard.madeHome();
    const old = readFileSync(join(home, "superuser-password"), "utf8").trim();
    rmSync(join(home, "superuser-password"));
    const postgres = await yard.open(home);
    expect(postgres.connection.superuser.password).not.toBe(old);
    expect(await query(postgres, "select 1 as one")).toEqual([{ one: 1 }]);
    await postgres.stop();
  });

  it("a password changed behind our back is named, and nothing is left running", async () => {
    const home = await yard.madeHome();
    const postgres = await yard.open(home);
    await query(postgres, "alter role postgres password 'another'");
    await postgres.stop();
    await expect(yard.open(home)).rejects.toMatchObject({ code: "postgres/password-refused" });
    expect(postgresProcessesIn(join(home, "data"))).toEqual([]);
  });
});

describe("running", () => {
  it("is reached by psql's kind of URL and judged fit as an external server is", async () => {
    const postgres = await yard.open(await yard.madeHome());
    const requirements = await checkExternalPostgres(postgres.url);
    expect(requirements.filter(({ state }) => state === "missing")).toEqual([]);
    expect(requirements.find(({ name }) => name === "wal_level")?.state).toBe("met");
    await postgres.stop();
  });

  it("is started again when it ends by itself", async () => {
    const postgres = await yard.open(await yard.madeHome());
    const { seen } = yard;
    await query(postgres, "create table kept as select 1");
    const before = postgres.pid();
    process.kill(before, "SIGKILL");
    await expect.poll(() => postgres.pid()).not.toBe(before);
    expect(await query(postgres, "select * from kept")).toHaveLength(1);
    expect(seen).toContainEqual(
      expect.objectContaining({
        kind: "warning",
        message: expect.stringContaining("signal SIGKILL; starting it again"),
      }),
    );
    await postgres.stop();
    await gone(postgres.pid());
  });

  it("is stopped at once, when asked so, though a client is at work", async () => {
    const postgres = await yard.open(await yard.madeHome());
    const busy = query(postgres, "select pg_sleep(600)").catch((error: Error) => error);
    await expect
      .poll(() =>
        query(postgres, "select 1 from pg_stat_activity where query like '%sleep(600)%' and wait_event = 'PgSleep'"),
      )
      .toHaveLength(1);
    await postgres.stop();
    expect(await busy).toBeInstanceOf(Error);
    await gone(postgres.pid());
  });

  it.runIf(isLinux)("is killed when it does not even hear the shutdown", async () => {
    const postgres = await yard.open(await yard.madeHome(), { postgresStopTimeoutMs: 100 });
    process.kill(postgres.pid(), "SIGSTOP");
    await postgres.stop(AbortSignal.timeout(50));
    await gone(postgres.pid());
  });

  it("takes PostgreSQL's log apart, and keeps its file bounded", async () => {
    const home = await yard.madeHome();
    const postgres = await yard.open(home, { postgresLogLimitBytes: 64 * 1024 });
    const { seen } = yard;
    await query(postgres, "do $$ begin raise log 'the % word', repeat('first ', 60); end $$");
    const first = { kind: "postgres.log", level: "log", line: `the ${"first ".repeat(60)} word` };
    await expect.poll(() => seen).toContainEqual(first);
    // The file is cut while PostgreSQL writes to it, so a line of such a burst may be lost; that it is bounded may not.
    await query(postgres, "do $$ begin for i in 1..400 loop raise log '% %', i, repeat('x', 300); end loop; end $$");
    await expect.poll(() => existsSync(join(home, "postgres.log.1"))).toBe(true);
    await query(postgres, "do $$ begin raise log 'the last word'; end $$");
    await expect.poll(() => seen.some((one) => one.kind === "postgres.log" && one.line === "the last word")).toBe(true);
    expect(statSync(join(home, "postgres.log")).size).toBeLessThan(64 * 1024);
    await postgres.stop();
  });

  it("does not log a failing statement, which may quote people's data", async () => {
    const home = await yard.madeHome();
    const postgres = await yard.open(home);
    await expect(query(postgres, "select 'ada@example.com'::int")).rejects.toThrow(/invalid input/);
    await postgres.stop();
    expect(readFileSync(join(home, "postgres.log"), "utf8")).not.toContain("ada@example.com");
  });
});

describe("a TCP port", () => {
  it("is opened on loopback only, when asked for", async () => {
    const port = await freePort();
    const postgres = await yard.open(await yard.madeHome(), { postgresPort: port });
    const url = postgres.url.replace(/@\/(.*)\?.*/, `@127.0.0.1:${port}/$1`);
    expect((await checkExternalPostgres(url)).some(({ state }) => state === "missing")).toBe(false);
    expect(await query(postgres, "show listen_addresses")).toEqual([{ listen_addresses: "127.0.0.1" }]);
    await postgres.stop();
  });

  it("that is busy is said, with who has it", async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as { port: number };
    const home = await yard.madeHome();
    await expect(yard.open(home, { postgresPort: port })).rejects.toMatchObject({
      code: "postgres/port-busy",
      message: expect.stringContaining(isLinux ? `process ${process.pid} (node` : "another process"),
    });
    server.close();
    expect(postgresProcessesIn(join(home, "data"))).toEqual([]);
  });
});

describe("the socket", () => {
  it("is put in a short private folder when its path would exceed the limit, and found again", async () => {
    const home = await yard.madeHome("a".repeat(60), "b".repeat(60));
    const first = await yard.open(home);
    const { host } = first.connection;
    expect(Buffer.byteLength(`${host}/.s.PGSQL.5432`)).toBeLessThanOrEqual(103);
    expect(statSync(host).mode & 0o777).toBe(0o700);
    expect(realpathSync(join(home, "run"))).toBe(realpathSync(host));
    expect(await query(first, "select 1 as one")).toEqual([{ one: 1 }]);
    await first.stop();
    const second = await yard.open(home);
    expect(second.connection.host).toBe(host);
    // A copy of the folder has the same link, and must not take the socket of the one that runs.
    const copy = yard.newHome("c".repeat(60), "d".repeat(60));
    yard.copy(home, copy);
    const other = await yard.open(copy);
    expect(other.connection.host).not.toBe(host);
    expect(await query(second, "select 1 as one")).toEqual([{ one: 1 }]);
    await other.stop();
    await second.stop();
    for (const dir of [host, other.connection.host]) rmSync(dir, { recursive: true });
  });
});

describe("psql", () => {
  const psql = ["/usr/bin/psql", "/usr/local/bin/psql"].find((path) => existsSync(path));
  it.runIf(psql)("takes the URL", async () => {
    const postgres = await yard.open(await yard.madeHome());
    expect(execFileSync(psql!, [postgres.url, "-Atc", "select 40 + 2"], { encoding: "utf8" })).toBe("42\n");
    await postgres.stop();
  });
});

describe.runIf(isLinux && existsSync("/usr/bin/chrt"))("scheduling", () => {
  const policyOf = (pid: number): string =>
    execFileSync("/usr/bin/chrt", ["-p", String(pid)], { encoding: "utf8" }).split("\n")[0]!;

  it("is batch, for the postmaster and for what it forks, unless it is turned off", async () => {
    const home = await yard.madeHome();
    const batch = await yard.open(home);
    const processes = postgresProcessesIn(realpathSync(join(home, "data")));
    expect(processes.length).toBeGreaterThan(1);
    for (const pid of [batch.pid(), ...processes]) expect(policyOf(pid)).toMatch(/SCHED_BATCH$/);
    await batch.stop();
    const normal = await yard.open(home, { postgresBatchScheduling: false });
    expect(policyOf(normal.pid())).toMatch(/SCHED_OTHER$/);
    await normal.stop();
  });
});
