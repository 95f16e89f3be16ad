import { spawn } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import pg from "pg";
import { afterAll, describe, expect, it } from "vitest";
import { joinEmbeddedPostgres } from "./join.ts";
import { postgresProcessesIn } from "./process-identity.ts";
import { gone, isLinux, isRoot, postmasterFileOf, query, Yard } from "./testing.ts";

const yard = new Yard();
afterAll(() => yard.clean());

describe("two starts on one folder", () => {
  it("the second is told who holds it, and the first goes on", async () => {
    const home = await yard.madeHome();
    const holder = yard.spawn(home);
    const { pid } = await holder.ready();
    await expect(yard.open(home)).rejects.toMatchObject({
      code: "postgres/folder-in-use",
      message: expect.stringMatching(new RegExp(`in use by process ${holder.child.pid} on \\S+ since \\d{4}-`)),
    });
    expect(postgresProcessesIn(join(home, "data"))).toContain(pid);
    await holder.kill("SIGTERM");
    await (await yard.open(home)).stop();
  });

  it("at the same moment, on an empty folder: one wins", async () => {
    const home = yard.newHome();
    const outcomes = await Promise.allSettled([yard.open(home), yard.open(home), yard.open(home)]);
    const won = outcomes.filter((one) => one.status === "fulfilled");
    expect(won).toHaveLength(1);
    for (const one of outcomes) {
      if (one.status === "rejected") expect(one.reason).toMatchObject({ code: "postgres/folder-in-use" });
    }
    await won[0]!.value.stop();
  });
});

describe("a process of ours that ends", () => {
  it.each(["SIGINT", "SIGTERM"] as const)("by %s leaves nothing running", async (signal) => {
    const home = await yard.madeHome();
    const holder = yard.spawn(home);
    const { pid } = await holder.ready();
    await holder.kill(signal);
    await gone(pid);
    expect(postgresProcessesIn(join(home, "data"))).toEqual([]);
    expect(holder.child.exitCode).toBe(0);
  });

  it("by SIGTERM while it starts leaves nothing running", async () => {
    const home = await yard.madeHome();
    const holder = yard.spawn(home);
    await holder.says(({ observation }) => (observation?.kind === "postgres.starting" ? true : undefined));
    await holder.kill("SIGTERM");
    expect(postgresProcessesIn(join(home, "data"))).toEqual([]);
  });

  it("by an uncaught error leaves nothing running", async () => {
    const home = await yard.madeHome();
    const holder = yard.spawn(home, {}, "by an error");
    const { pid } = await holder.ready();
    await holder.exited;
    expect(holder.child.exitCode).not.toBe(0);
    await gone(pid);
  });

  it.runIf(isLinux)("by kill -9 leaves PostgreSQL running, and the next start adopts it", async () => {
    const home = await yard.madeHome();
    const holder = yard.spawn(home);
    const { pid } = await holder.ready();
    await holder.kill("SIGKILL");
    const adopted = await yard.open(home);
    expect(adopted.wasAdopted).toBe(true);
    expect(adopted.pid()).toBe(pid);
    expect(await query(adopted, "select pg_postmaster_start_time() < now() as works")).toEqual([{ works: true }]);
    // Its log is followed on.
    await query(adopted, "do $$ begin raise log 'heard'; end $$");
    const { seen } = yard;
    await expect.poll(() => seen.some((one) => one.kind === "postgres.log" && one.line === "heard")).toBe(true);
    await adopted.stop();
    await gone(pid);
  });

  it.runIf(isLinux)("by kill -9: what it left is stopped, not adopted, when settings have changed", async () => {
    const home = await yard.madeHome();
    const holder = yard.spawn(home);
    const { pid } = await holder.ready();
    await holder.kill("SIGKILL");
    const postgres = await yard.open(home, { postgresMaxConnections: 25 });
    expect(postgres.wasAdopted).toBe(false);
    expect(postgres.pid()).not.toBe(pid);
    expect(await query(postgres, "show max_connections")).toEqual([{ max_connections: "25" }]);
    await gone(pid);
    await postgres.stop();
  });

  it.runIf(isLinux)("by kill -9, and PostgreSQL too: committed rows are there", async () => {
    const home = await yard.madeHome();
    const holder = yard.spawn(home);
    const { pid } = await holder.ready();
    const { superuser, ...place } = (await joinEmbeddedPostgres(home))!.connection;
    const client = new pg.Client({ ...place, ...superuser });
    client.on("error", () => {});
    await client.connect();
    await client.query("create table kept as select generate_series(1, 1000) as n");
    process.kill(pid, "SIGKILL");
    await holder.kill("SIGKILL");
    const postgres = await yard.open(home);
    expect(postgres).toMatchObject({ wasAdopted: false, isFirstStart: false });
    expect(await query(postgres, "select count(*)::int as n from kept")).toEqual([{ n: 1000 }]);
    expect(readFileSync(join(home, "postgres.log"), "utf8")).toContain("not properly shut down; automatic recovery");
    await postgres.stop();
  });
});

describe("X16: a stale postmaster.pid", () => {
  /** As a server killed with the machine leaves it, naming `pid`. */
  const leave = (home: string, pid: number | ""): void => {
    const data = join(home, "data");
    writeFileSync(
      join(data, "postmaster.pid"),
      pid === "" ? "" : `${pid}\n${data}\n1700000000\n5432\n\n\n\nready   \n`,
    );
    writeFileSync(join(home, "run", ".s.PGSQL.5432.lock"), `${pid}\n${data}\n1700000000\n5432\n${home}/run\n`);
  };

  it("of a process that is gone does not hinder", async () => {
    const home = await yard.madeHome();
    const gonePid = await new Promise<number>((resolve) => {
      const child = spawn("true");
      child.once("exit", () => resolve(child.pid!));
    });
    leave(home, gonePid);
    await (await yard.open(home)).stop();
  });

  it("that now is another process's does not hinder, and that process is left alone", async () => {
    const home = await yard.madeHome();
    const stranger = spawn("sleep", ["600"]);
    leave(home, stranger.pid!);
    const postgres = await yard.open(home);
    expect(postgres.wasAdopted).toBe(false);
    await postgres.stop();
    expect(stranger.exitCode).toBeNull();
    expect(stranger.signalCode).toBeNull();
    stranger.kill();
  });

  it.runIf(isLinux)("of a zombie, which nobody has buried yet, does not hinder", async () => {
    const home = await yard.madeHome();
    // The shell's child ends, and what the shell has become does not ask after it.
    const parent = spawn("sh", ["-c", "sleep 0 & echo $!; exec sleep 600"], { stdio: ["ignore", "pipe", "ignore"] });
    const zombie = Number(await new Promise((resolve) => parent.stdout.once("data", resolve)));
    await expect.poll(() => readFileSync(`/proc/${zombie}/stat`, "utf8")).toMatch(/\) Z /);
    leave(home, zombie);
    await (await yard.open(home)).stop();
    parent.kill();
  });

  it("that is empty, as a full disk leaves it, does not hinder", async () => {
    const home = await yard.madeHome();
    leave(home, "");
    await (await yard.open(home)).stop();
  });

  it.runIf(isLinux)("that came with a copy of a running server's folder is not taken for ours", async () => {
    const home = await yard.madeHome();
    const original = await yard.open(home);
    await query(original, "checkpoint");
    const copy = yard.newHome();
    yard.copy(home, copy);
    expect(postmasterFileOf(copy)).toBe(postmasterFileOf(home));
    const other = await yard.open(copy);
    expect(other).toMatchObject({ wasAdopted: false, isFirstStart: false });
    expect(other.pid()).not.toBe(original.pid());
    await query(other, "create table only_here ()");
    expect(await query(original, "select to_regclass('only_here') as found")).toEqual([{ found: null }]);
    await other.stop();
    expect(await query(original, "select 1 as one")).toEqual([{ one: 1 }]);
    await original.stop();
  });

  it.runIf(isLinux)("of a postmaster of another folder is not adopted", async () => {
    const running = await yard.open(await yard.madeHome());
    const home = await yard.madeHome();
    leave(home, running.pid());
    const postgres = await yard.open(home);
    expect(postgres.wasAdopted).toBe(false);
    await postgres.stop();
    expect(await query(running, "select 1 as one")).toEqual([{ one: 1 }]);
    await running.stop();
  });
});

describe("a data folder", () => {
  it("of another major version is refused with what to do, and left as it is", async () => {
    const home = await yard.madeHome();
    writeFileSync(join(home, "data", "PG_VERSION"), "17\n");
    await expect(yard.open(home)).rejects.toMatchObject({
      code: "postgres/other-major-version",
      message: expect.stringContaining("written by PostgreSQL 17, and this is PostgreSQL 18"),
      hint: expect.stringContaining("MAINSTAY_POSTGRES_INSTALLATION"),
    });
    expect(existsSync(join(home, "data", "global", "pg_control"))).toBe(true);
  });

  it("that is none is refused, and left as it is", async () => {
    const home = yard.newHome();
    mkdirSync(join(home, "data"), { recursive: true });
    writeFileSync(join(home, "data", "holiday.jpg"), "dear");
    await expect(yard.open(home)).rejects.toMatchObject({ code: "postgres/not-a-data-folder" });
    expect(readFileSync(join(home, "data", "holiday.jpg"), "utf8")).toBe("dear");
  });

  it("that is damaged is refused in PostgreSQL's own last words, and a second try is not hindered", async () => {
    const home = await yard.madeHome();
    rmSync(join(home, "data", "global", "pg_control"));
    for (let attempt = 0; attempt < 2; attempt++) {
      await expect(yard.open(home)).rejects.toMatchObject({
        code: "postgres/start-failed",
        message: expect.stringMatching(/ended with exit code \d[\s\S]*pg_control/),
      });
    }
  });

  it("with a setting PostgreSQL cannot take is refused in its own words", async () => {
    const home = await yard.madeHome();
    writeFileSync(join(home, "data", "postgresql.conf"), "shared_buffers = 'plenty'\n", { flag: "a" });
    await expect(yard.open(home)).rejects.toMatchObject({ message: expect.stringContaining('"plenty"') });
  });

  it.runIf(!isRoot)("X16: that cannot be written is said", async () => {
    const home = await yard.madeHome();
    chmodSync(home, 0o500);
    await expect(yard.open(home)).rejects.toMatchObject({ code: "postgres/folder-not-writable" });
    chmodSync(home, 0o700);
  });
});
