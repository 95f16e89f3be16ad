import { execFileSync } from "node:child_process";
import {
  chmodSync,
  chownSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { bundledInstallation } from "./binaries.ts";
import { postgresProcessesIn } from "./process-identity.ts";
import { findUser } from "./service-user.ts";
import { isLinux, isRoot, query, Yard } from "./testing.ts";

const yard = new Yard();
const folders: string[] = [];
const mounts: string[] = [];
afterAll(async () => {
  await yard.clean();
  for (const dir of mounts) execFileSync("umount", [dir]);
  for (const dir of folders) rmSync(dir, { recursive: true, force: true });
});

const folder = (): string => {
  const dir = mkdtempSync(join(tmpdir(), "privileges-"));
  chmodSync(dir, 0o755);
  folders.push(dir);
  return dir;
};
const ownerOf = (path: string): number => statSync(path).uid;

/** The bundled programs as they come out of the package when install scripts are not run: without their links. */
function packageWithoutScripts(): string {
  const copy = join(folder(), "native");
  cpSync(bundledInstallation(), copy, {
    recursive: true,
    dereference: false,
    filter: (path) => !/\.a$|pgxs/.test(path),
  });
  const links = JSON.parse(readFileSync(join(copy, "pg-symlinks.json"), "utf8")) as { target: string }[];
  expect(links.length).toBeGreaterThan(0);
  for (const { target } of links) rmSync(join(dirname(copy), target), { force: true });
  return copy;
}

describe.runIf(isRoot && isLinux)("as root", () => {
  it("PostgreSQL runs as an unprivileged user, and cannot write beside its own folder", async () => {
    const home = await yard.madeHome();
    const postgres = await yard.open(home);
    const expected = (findUser("postgres") ?? findUser("nobody"))!;
    expect(ownerOf(`/proc/${postgres.pid()}`)).toBe(expected.uid);
    expect(readFileSync(`/proc/${postgres.pid()}/status`, "utf8")).toMatch(/^Groups:\s*$/m);
    expect(ownerOf(join(home, "data"))).toBe(expected.uid);
    expect(ownerOf(join(home, "superuser-password"))).toBe(0);
    await query(postgres, "create table attempts (line text)");
    for (const attempt of ["touch ../planted", "rm ../superuser-password", "cat ../superuser-password"]) {
      await expect(query(postgres, `copy attempts from program '${attempt}'`)).rejects.toThrow(/failed/);
    }
    await postgres.stop();
  });

  it("uses the user configured, and gives it the folder", async () => {
    const home = await yard.madeHome();
    const postgres = await yard.open(home, { postgresUser: "4321:4322" });
    const owner = statSync(`/proc/${postgres.pid()}`);
    expect([owner.uid, owner.gid]).toEqual([4321, 4322]);
    expect(ownerOf(join(home, "data", "base"))).toBe(4321);
    await postgres.stop();
  });

  it.each([
    ["no-such-user-here", "there is no such user"],
    ["root", "refuses to run as root"],
  ])("refuses user %s", async (postgresUser, why) => {
    await expect(yard.open(yard.newHome(), { postgresUser })).rejects.toMatchObject({
      code: "postgres/no-such-user",
      message: expect.stringContaining(why),
    });
  });

  it("leaves an ordinary user's project that user's", async () => {
    const home = await yard.madeHome();
    execFileSync("chown", ["-R", "4400:4400", home]);
    const postgres = await yard.open(home);
    expect(ownerOf(`/proc/${postgres.pid()}`)).toBe(4400);
    await postgres.stop();
    for (const name of readdirSync(home)) expect(`${name} ${ownerOf(join(home, name))}`).toBe(`${name} 4400`);
  });

  it("takes over a folder that was copied as root", async () => {
    const home = await yard.madeHome();
    execFileSync("chown", ["-R", "0:0", home]);
    const postgres = await yard.open(home);
    expect(await query(postgres, "select 1 as one")).toEqual([{ one: 1 }]);
    await postgres.stop();
  });

  it("works under a private parent such as root's home, opening it to nobody", async () => {
    const home = yard.newHome("private", "project", ".mainstay");
    const above = dirname(dirname(dirname(home)));
    chmodSync(above, 0o700);
    const first = await yard.open(home);
    expect(first.isFirstStart).toBe(true);
    await query(first, "create extension cube");
    await query(first, "create table kept as select 7 as n");
    await first.stop();
    const second = await yard.open(home);
    expect(await query(second, "select n from kept")).toEqual([{ n: 7 }]);
    expect(ownerOf(`/proc/${second.pid()}`)).not.toBe(0);
    await second.stop();
    expect(statSync(above).mode & 0o777).toBe(0o700);
  });

  it("works with programs under a private parent too, as a project's node_modules are", async () => {
    const installation = packageWithoutScripts();
    const cacheDir = folder();
    chmodSync(dirname(installation), 0o700);
    const settings = { postgresInstallation: installation, postgresCacheDir: cacheDir };
    const home = yard.newHome();
    for (let start = 0; start < 2; start++) {
      const postgres = await yard.open(home, settings);
      expect(realpathSync(`/proc/${postgres.pid()}/exe`)).toMatch(new RegExp(`^${cacheDir}/postgresql-`));
      await postgres.stop();
    }
    expect(readdirSync(cacheDir)).toHaveLength(1);
  });

  it("does not start programs from a cache somebody else can write", async () => {
    const installation = packageWithoutScripts();
    const cacheDir = folder();
    chmodSync(dirname(installation), 0o700);
    const settings = { postgresInstallation: installation, postgresCacheDir: cacheDir };
    const home = yard.newHome();
    chownSync(cacheDir, 4321, 4321);
    await expect(yard.open(home, settings)).rejects.toMatchObject({ code: "postgres/folder-unreachable" });
    chownSync(cacheDir, 0, 0);
    chmodSync(cacheDir, 0o777);
    await expect(yard.open(home, settings)).rejects.toMatchObject({ code: "postgres/folder-unreachable" });
    expect(readdirSync(cacheDir)).toEqual([]);
  });
});

describe("programs", () => {
  it("run although the package's install script did not", async () => {
    const installation = packageWithoutScripts();
    const before = readdirSync(join(installation, "lib")).sort();
    const postgres = await yard.open(yard.newHome(), {
      postgresInstallation: installation,
      ...(isRoot ? { postgresCacheDir: folder() } : {}),
    });
    expect(await query(postgres, "select lower('Ä' collate unicode) as icu")).toEqual([{ icu: "ä" }]);
    await postgres.stop();
    expect(readdirSync(join(installation, "lib")).sort()).toEqual(before);
  });

  it("that are not there are named, with what to do", async () => {
    expect(() => bundledInstallation("plan9-vax")).toThrow(
      expect.objectContaining({ code: "postgres/binaries-missing", hint: expect.stringContaining("DATABASE_URL") }),
    );
    const home = yard.newHome();
    await expect(yard.open(home, { postgresInstallation: folder() })).rejects.toMatchObject({
      code: "postgres/binaries-missing",
    });
    expect(existsSync(join(home, "data"))).toBe(false);
  });

  it("that do not run are named, with what they say", async () => {
    const installation = join(folder(), "native");
    mkdirSync(join(installation, "bin"), { recursive: true });
    writeFileSync(join(installation, "bin", "initdb"), "");
    writeFileSync(
      join(installation, "bin", "postgres"),
      "#!/bin/sh\necho libicui18n.so.60: cannot open >&2\nexit 127\n",
      { mode: 0o755 },
    );
    await expect(yard.open(yard.newHome(), { postgresInstallation: installation })).rejects.toMatchObject({
      code: "postgres/binaries-broken",
      message: expect.stringContaining("libicui18n.so.60"),
    });
  });
});

/** A small disk of its own; `null` where we may not mount. */
function smallDisk(megabytes: number): string | null {
  if (!isRoot || !isLinux) return null;
  const dir = folder();
  try {
    execFileSync("mount", ["-t", "tmpfs", "-o", `size=${megabytes}m`, "tmpfs", dir], { stdio: "ignore" });
  } catch {
    return null;
  }
  mounts.push(dir);
  return dir;
}

describe("X17: a full disk", () => {
  it("before the first start: said, and nothing is left half-made", async ({ skip }) => {
    const disk = smallDisk(8);
    if (disk === null) return skip("needs root and the right to mount a small disk");
    const home = join(disk, "postgres");
    await expect(yard.open(home)).rejects.toMatchObject({
      code: "postgres/disk-full",
      message: expect.stringMatching(/[78] MB free/),
    });
    expect(readdirSync(home).filter((name) => !name.startsWith("hold-"))).toEqual(["postgres.log"]);
  });

  it("at a later start: said, and healed by making room", async ({ skip }) => {
    const disk = smallDisk(160);
    if (disk === null) return skip("needs root and the right to mount a small disk");
    const home = join(disk, "postgres");
    yard.copy(await yard.madeHome(), home);
    const ballast = join(disk, "ballast");
    execFileSync("sh", ["-c", `cat /dev/zero > ${ballast} || true`], { stdio: "ignore" });
    await expect(yard.open(home)).rejects.toMatchObject({ code: "postgres/disk-full" });
    expect(postgresProcessesIn(join(home, "data"))).toEqual([]);
    rmSync(ballast);
    const postgres = await yard.open(home);
    expect(await query(postgres, "select 1 as one")).toEqual([{ one: 1 }]);
    await postgres.stop();
  });

  it("X16: a disk that is read-only is said", async ({ skip }) => {
    const disk = smallDisk(160);
    if (disk === null) return skip("needs root and the right to mount a small disk");
    const home = join(disk, "postgres");
    yard.copy(await yard.madeHome(), home);
    execFileSync("mount", ["-o", "remount,ro", disk]);
    await expect(yard.open(home)).rejects.toMatchObject({ code: "postgres/folder-not-writable" });
  });
});
