import { setTimeout as sleep } from "node:timers/promises";
import { memoryOf, residentOf } from "../machine.ts";
import type { Figure } from "../scenarios.ts";
import { startServer } from "../server.ts";
import { mb, type RealtimeBench, reported, whole } from "./bench.ts";
import { heapOf, type Inspector } from "./inspector.ts";

const sockets = 2_000;
/** What the total of the goal is for. */
const manySockets = 10_000;

/** How fast clients come, and what one costs that says nothing. */
export async function connections(bench: RealtimeBench, inspector: Inspector): Promise<Figure[]> {
  const { crowd, server } = bench;
  // The first take with them what a server needs once.
  await crowd.connect(100);
  await crowd.join(Array.from({ length: 100 }, (_, i) => ({ topic: `warm ${i}` })));
  await crowd.leave();
  await sleep(1_000);
  const heapBefore = await heapOf(inspector);
  const residentBefore = residentOf(server.pid);
  const connectMs = await crowd.connect(sockets);
  const joinMs = await crowd.join(Array.from({ length: sockets }, (_, i) => ({ topic: `room ${i % 100}` })));
  await sleep(1_500);
  const heap = (await heapOf(inspector)) - heapBefore;
  const resident = residentOf(server.pid) - residentBefore;
  await crowd.leave();
  const perSecond = sockets / (joinMs / 1000);
  const expected = residentBefore + (resident / sockets) * manySockets;
  return [
    reported("websockets opened, one after the other on a hundred ways", `${whole(sockets / (connectMs / 1000))}/s`),
    { name: "joins, a channel each", value: `${whole(perSecond)}/s`, against: "≥ 1,000/s", isMet: perSecond >= 1_000 },
    {
      name: `an idle connection with a channel, of ${whole(sockets)}`,
      value: `${(resident / sockets / 1024).toFixed(1)} KB resident, ${(heap / sockets / 1024).toFixed(1)} KB of them heap; ${whole(manySockets)} make ${mb(expected)} of Node in all`,
      against: `${whole(manySockets)} < 250 MB`,
      isMet: expected < 250 * 2 ** 20,
    },
  ];
}

/** What realtime costs a server that nobody uses it of. */
export async function unused(dir: string, port: number, env: Readonly<Record<string, string>>): Promise<Figure[]> {
  const idle = async (isOn: boolean): Promise<number> => {
    const server = await startServer(dir, port, { ...env, MAINSTAY_REALTIME_ENABLED: String(isOn) });
    try {
      await sleep(6_000);
      return memoryOf([server.pid]) ?? Number.NaN;
    } finally {
      await server.stop();
    }
  };
  const without = await idle(false);
  const more = (await idle(true)) - without;
  return [
    {
      name: "idle memory of Node, with realtime that nobody uses against realtime switched off",
      value: `${mb(without + more)} against ${mb(without)}`,
      against: "unchanged: < +3 MB",
      isMet: more < 3 * 2 ** 20,
    },
  ];
}
