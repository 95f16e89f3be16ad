import { setTimeout as sleep } from "node:timers/promises";
import { mb, reported, whole } from "../figures.ts";
import { familyOf, residentOf } from "../machine.ts";
import type { Figure } from "../scenarios.ts";
import { startServer } from "../server.ts";
import type { RealtimeBench } from "./bench.ts";
import { heapOf, openInspector } from "./inspector.ts";

const sockets = 10_000;

/** Not among those from which the system gives ten thousand clients one each. */
export const inspectPortOf = (port: number): number => 20_000 + (port % 10_000);

/** How fast clients come, and what one costs that says nothing. */
export async function connections({ crowd, server, inspectPort }: RealtimeBench): Promise<Figure[]> {
  // The first take with them what a server needs once.
  await crowd.connect(100);
  await crowd.join(Array.from({ length: 100 }, (_, i) => ({ topic: `warm ${i}` })));
  await crowd.leave();
  await sleep(1_000);
  const residentBefore = residentOf(server.pid);
  const connectMs = await crowd.connect(sockets);
  const joinMs = await crowd.join(Array.from({ length: sockets }, (_, i) => ({ topic: `room ${i % 100}` })));
  // Node gives back what it needed for their coming when it has been idle for a while.
  await sleep(30_000);
  const resident = residentOf(server.pid);
  // Not before: it takes memory, too.
  const inspector = await openInspector(server.pid, inspectPort);
  const heap = await heapOf(inspector);
  await crowd.leave();
  await sleep(2_000);
  const heapAfter = await heapOf(inspector);
  inspector.close();
  const perSecond = sockets / (joinMs / 1000);
  const kilobytes = (bytes: number): string => `${(bytes / sockets / 1024).toFixed(1)} KB`;
  return [
    reported("websockets opened, a hundred at a time", `${whole(sockets / (connectMs / 1000))}/s`),
    { name: "joins, a channel each", value: `${whole(perSecond)}/s`, against: "≥ 1,000/s", isMet: perSecond >= 1_000 },
    {
      name: `${whole(sockets)} idle connections with a channel each`,
      value: `${mb(resident)} of Node in all; each ${kilobytes(resident - residentBefore)} resident, ${kilobytes(heap - heapAfter)} heap`,
      against: "< 250 MB",
      isMet: resident < 250 * 2 ** 20,
    },
  ];
}

/** What realtime costs a server that nobody uses it of: what is alive of it, since resident pages differ by more from start to start. */
export async function unused(dir: string, port: number, env: Readonly<Record<string, string>>): Promise<Figure[]> {
  const inspectPort = inspectPortOf(port);
  const idle = async (isOn: boolean): Promise<{ heap: number; processes: number }> => {
    const server = await startServer(dir, port, {
      ...env,
      NODE_OPTIONS: `--inspect-port=${inspectPort}`,
      MAINSTAY_REALTIME_ENABLED: String(isOn),
    });
    try {
      await sleep(5_000);
      const inspector = await openInspector(server.pid, inspectPort);
      const heap = await heapOf(inspector);
      inspector.close();
      return { heap, processes: familyOf(server.pid).length };
    } finally {
      await server.stop();
    }
  };
  const without = await idle(false);
  const having = await idle(true);
  const more = having.heap - without.heap;
  return [
    {
      name: "realtime that nobody uses, against realtime switched off",
      value: `heap ${(having.heap / 2 ** 20).toFixed(1)} MB against ${(without.heap / 2 ** 20).toFixed(1)} MB; ${having.processes} processes against ${without.processes}`,
      against: "< +1 MB, no process more",
      isMet: more < 2 ** 20 && having.processes <= without.processes,
    },
  ];
}
