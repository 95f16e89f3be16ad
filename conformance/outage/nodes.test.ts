import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { type Outage, startOutage } from "./app.ts";
import { broadcastsOf, type Phone, patience, rowsOf } from "./listener.ts";
import type { Server } from "./server.ts";

let app: Outage;
let other: Server;
beforeAll(async () => {
  app = await startOutage();
  other = await app.another();
});
afterAll(() => app.stop());

let last = 0;
/** Rows by SQL, and broadcasts by somebody on the other node. @returns what is to be heard */
async function work(bob: Phone, times: number): Promise<{ readonly rows: string[]; readonly said: string[] }> {
  const [rows, said]: [string[], string[]] = [[], []];
  for (let at = 0; at < times; at++) {
    const n = ++last;
    await app.sql.write([n]);
    rows.push(`INSERT ledger ${n}`);
    if (at % 3 !== 0) continue;
    await bob.say(n);
    said.push(`said ${n}`);
  }
  return { rows, said };
}

/** Keys of who is there, as a phone knows it. */
const present = (phone: Phone): string[] => Object.keys(phone.channel!.presenceState()).sort();

const hears = async (
  phone: Phone,
  { rows, said }: { rows: string[]; said: string[] },
  before: readonly string[] = [],
) => {
  const fresh = (words: readonly string[]) => words.filter((word) => !before.includes(word));
  await vi.waitFor(() => {
    expect(fresh(rowsOf(phone)), phone.story()).toEqual(rows);
    expect(fresh(broadcastsOf(phone, "said")), phone.story()).toEqual(said);
  }, patience);
};

describe("R13: two nodes", () => {
  test("a client that comes back to the other one, whose own is alive or killed; presence goes with the node", async () => {
    const [alice, carol, bob] = [await app.phone(), await app.phone(), await app.phone({ port: other.port })];
    for (const phone of [alice, carol]) await phone.listen("nodes", ["ledger"], { presenceKey: phone.userId });
    await bob.listen("nodes", [], { presenceKey: bob.userId });
    const all = [alice, carol, bob].map(({ userId }) => userId).sort();
    await vi.waitFor(() => expect([alice, carol, bob].map(present)).toEqual([all, all, all]), patience);
    const first = await work(bob, 10);
    await hears(alice, first);
    await hears(carol, first);

    // Her network breaks, and the next one leads to the other node.
    alice.network.cut();
    alice.network.leadTo(other.port);
    const second = await work(bob, 20);
    alice.network.restore();
    await hears(alice, second, [...first.rows, ...first.said]);
    await vi.waitFor(() => expect(present(bob)).toEqual(all), patience);

    // The node dies; for a while Carol has none.
    carol.network.cut();
    await app.server.kill();
    const third = await work(bob, 20);
    const without = [alice, bob].map(({ userId }) => userId).sort();
    await vi.waitFor(() => expect([present(alice), present(bob)]).toEqual([without, without]), patience);
    carol.network.leadTo(other.port);
    carol.network.restore();
    const missed = { rows: [...second.rows, ...third.rows], said: [...second.said, ...third.said] };
    await hears(carol, missed, [...first.rows, ...first.said]);
    await vi.waitFor(() => expect(present(bob)).toEqual(all), patience);

    // And back, to the first one's successor.
    await app.server.start();
    alice.network.cut();
    alice.network.leadTo(app.server.port);
    const fourth = await work(bob, 10);
    alice.network.restore();
    const known = [first, second].flatMap(({ rows, said }) => [...rows, ...said]);
    await hears(alice, { rows: [...third.rows, ...fourth.rows], said: [...third.said, ...fourth.said] }, known);
    for (const phone of [alice, carol]) {
      expect(phone.system.map(({ message }) => message)).not.toContainEqual(expect.stringContaining("missed"));
    }
  });
});
