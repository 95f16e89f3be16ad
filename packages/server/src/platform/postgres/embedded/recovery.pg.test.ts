import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import type { Observation } from "../../observe/observation.ts";
import { postgresProcessesIn } from "./process-identity.ts";
import { isLinux, query, Yard } from "./testing.ts";

const yard = new Yard();
afterAll(() => yard.clean());

const reports = (seen: readonly Observation[]) => seen.filter((one) => one.kind === "postgres.recovering");

/** A recovery that lasts until the returned function is called: PostgreSQL asks a command for more log, and it does not answer. */
function holdRecovery(home: string): () => void {
  const data = join(home, "data");
  writeFileSync(join(data, "recovery.signal"), "");
  const wait = "until test -e let_go; do sleep 0.02; done; exit 1";
  writeFileSync(join(data, "postgresql.conf"), `restore_command = '${wait}'\nhot_standby = off\n`, { flag: "a" });
  return () => writeFileSync(join(data, "let_go"), "");
}

describe.runIf(isLinux)("X15: a long recovery", () => {
  it("is waited for and reported, in one process, and then served", async () => {
    const home = await yard.madeHome();
    const letGo = holdRecovery(home);
    const opening = yard.open(home, { postgresRecoveryReportMs: 50 });
    const { seen } = yard;
    await expect.poll(() => reports(seen).length).toBeGreaterThanOrEqual(5);
    const starts = () => seen.filter((one) => one.kind === "postgres.starting").length;
    expect(starts()).toBe(1);
    const elapsed = reports(seen).map(({ elapsedMs }) => elapsedMs);
    expect(elapsed).toEqual([...elapsed].sort((a, b) => a - b));
    expect(reports(seen).at(-1)!.detail).not.toBe("");
    letGo();
    const postgres = await opening;
    expect(starts()).toBe(1);
    expect(await query(postgres, "select pg_is_in_recovery() as recovering")).toEqual([{ recovering: false }]);
    await postgres.stop();
  });

  it("given up by its caller is stopped, and leaves nothing running", async () => {
    const home = await yard.madeHome();
    holdRecovery(home);
    const leaving = new AbortController();
    const opening = yard.open(home, { postgresRecoveryReportMs: 50, postgresStopTimeoutMs: 500 }, leaving.signal);
    const { seen } = yard;
    const outcome = opening.catch((error: Error) => error.name);
    await expect.poll(() => reports(seen).length).toBeGreaterThanOrEqual(1);
    leaving.abort();
    expect(await outcome).toBe("AbortError");
    expect(postgresProcessesIn(join(home, "data"))).toEqual([]);
  });

  it("of a server whose Node was killed is taken over and waited for, not begun again", async () => {
    const home = await yard.madeHome();
    const letGo = holdRecovery(home);
    const holder = yard.spawn(home, { postgresRecoveryReportMs: 50 });
    await holder.says(({ observation }) => (observation?.kind === "postgres.recovering" ? true : undefined));
    await holder.kill("SIGKILL");
    const opening = yard.open(home, { postgresRecoveryReportMs: 50 });
    const { seen } = yard;
    await expect.poll(() => reports(seen).length).toBeGreaterThanOrEqual(2);
    letGo();
    const postgres = await opening;
    expect(postgres.pid()).toBe(Number(/as process (\d+)/.exec(JSON.stringify(seen))![1]));
    await postgres.stop();
  });

  it("of a paused process goes on when that does", async () => {
    const home = await yard.madeHome();
    const first = await yard.open(home);
    await query(first, "create table kept as select generate_series(1, 50000) as n");
    await first.stop();
    const letGo = holdRecovery(home);
    const opening = yard.open(home, { postgresRecoveryReportMs: 50 });
    const { seen } = yard;
    await expect.poll(() => reports(seen).length).toBeGreaterThanOrEqual(1);
    const all = postgresProcessesIn(join(home, "data"));
    for (const one of all) process.kill(one, "SIGSTOP");
    letGo();
    const soFar = reports(seen).length;
    await expect.poll(() => reports(seen).length).toBeGreaterThanOrEqual(soFar + 3);
    for (const one of all) process.kill(one, "SIGCONT");
    const postgres = await opening;
    expect(await query(postgres, "select count(*)::int as n from kept")).toEqual([{ n: 50_000 }]);
    await postgres.stop();
  });
});
