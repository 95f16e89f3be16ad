import { setTimeout as after } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { type Outage, startOutage } from "./app.ts";
import { patience, rowsOf } from "./listener.ts";

const resumeMs = 1_000;
const missed = {
  extension: "system",
  status: "ok",
  message: "Some messages were missed and cannot be sent again: read anew what is shown.",
};

let app: Outage;
beforeAll(async () => {
  app = await startOutage({
    MAINSTAY_LOG_RING_BYTES: "65536",
    // Who stays is not cut off for being slow, however slow the machine.
    MAINSTAY_REALTIME_QUEUE_BYTES: "67108864",
    MAINSTAY_REALTIME_RESUME_MS: String(resumeMs),
  });
});
afterAll(() => app.stop());

let last = 0;
const write = async (rows: number): Promise<string[]> => {
  const numbers = Array.from({ length: rows }, () => ++last);
  await app.sql.write(numbers);
  return numbers.map((n) => `INSERT ledger ${n}`);
};

describe("R13: a client that comes back for what is not kept any more is told so, and goes on", () => {
  test.each([
    ["there was more than the log has room for", 5_000, 0],
    ["it was away for longer than is waited for anybody", 10, 2 * resumeMs],
  ])("because %s", async (_, rows, awayMs) => {
    const name = `away-${rows}`;
    const [alice, bob] = [await app.phone(), await app.phone()];
    for (const phone of [alice, bob]) await phone.listen(name, ["ledger"]);
    const heard = await write(2);
    await vi.waitFor(() => expect(rowsOf(alice)).toEqual(heard), patience);
    alice.network.cut();
    const missing = await write(rows);
    // Who stayed has heard the last: the log has come past them all, and they are nothing that is still to come.
    await vi.waitFor(() => expect(rowsOf(bob).at(-1)).toBe(missing.at(-1)), patience);
    await after(awayMs);
    alice.network.restore();
    await alice.replicating(2);
    expect(alice.system).toContainEqual({ ...missed, channel: name });
    expect(alice.statuses.at(-1)).toBe("SUBSCRIBED");
    const then = await write(2);
    // What the log had not come to when it was told, it gets.
    await vi.waitFor(() => expect(rowsOf(alice).slice(-2)).toEqual(then), patience);
    expect(rowsOf(alice).length).toBeLessThan(2 + rows + 2);
    expect(alice.system.filter(({ message }) => message === missed.message)).toHaveLength(1);
  });

  test("but not one that missed nothing, or was never there", async () => {
    const alice = await app.phone();
    await alice.listen("short", ["ledger"]);
    const heard = await write(2);
    await vi.waitFor(() => expect(rowsOf(alice)).toEqual(heard), patience);
    alice.network.cut();
    alice.network.restore();
    await alice.replicating(2);
    const fresh = await app.reloaded(alice);
    await fresh.listen("short", ["ledger"]);
    for (const phone of [alice, fresh]) expect(phone.system).not.toContainEqual({ ...missed, channel: "short" });
  });
});
