import { costOf, failed, limit, ms, reported, us, whole } from "../figures.ts";
import { percentile } from "../load.ts";
import { processorMsOf } from "../machine.ts";
import type { Figure } from "../scenarios.ts";
import { startBare } from "./bare.ts";
import type { RealtimeBench } from "./bench.ts";
import { type Crowd, startCrowd } from "./crowd.ts";
import type { Rounds, RoundsResult } from "./crowd-messages.ts";

interface Rooms {
  readonly rooms: number;
  readonly members: number;
}

type Pace = Rounds["pace"];

/** Broadcasts between websockets, against `ws` alone that passes the same frames on to the same number of sockets. */
export async function broadcasts(bench: RealtimeBench): Promise<Figure[]> {
  return [
    ...(await against(bench, { rooms: 1, members: 1_000 }, "1,000 members of one room")),
    ...(await against(bench, { rooms: 100, members: 10 }, "100 rooms of 10 members")),
  ];
}

async function against(bench: RealtimeBench, rooms: Rooms, name: string): Promise<Figure[]> {
  const { server, freePort, seconds } = bench;
  const bareServer = await startBare(freePort);
  const bareCrowd = startCrowd({ port: freePort, paths: roomNames(rooms).map((room) => `/${room}`) });
  const crowd = bench.crowd;
  try {
    await bareCrowd.connect(rooms.rooms * rooms.members);
    await crowd.connect(rooms.rooms * rooms.members);
    await crowd.join(Array.from({ length: rooms.rooms * rooms.members }, (_, i) => ({ topic: `r${i % rooms.rooms}` })));
    const run = (who: Crowd, pace: Pace, lengthSeconds = seconds) =>
      who.rounds({ seconds: lengthSeconds, pace, by: by(rooms, who === bareCrowd) });
    // Both are compiled before anything counts.
    for (const who of [bareCrowd, crowd]) await run(who, { inFlight: 1 }, 1);
    const alone: Pace = { inFlight: 1 };
    const burst: Pace = { inFlight: 8 };
    const bareBeforeMs = processorMsOf(bareServer.pid);
    const bareOne = await run(bareCrowd, alone);
    const bareMs = processorMsOf(bareServer.pid) - bareBeforeMs;
    const before = [bareOne, await run(bareCrowd, burst)];
    const { result: one, nodeMs } = await costOf(server, () => run(crowd, alone));
    const many = await run(crowd, burst);
    const after = [await run(bareCrowd, alone), await run(bareCrowd, burst)];
    // A quarter of what it could: queues are for bursts.
    const perSecond = Math.max(1, Math.floor(0.25 * (one.messages / one.seconds)));
    const paced = await run(crowd, { perSecond });
    await crowd.leave();
    const bare = [0, 1].map((i) => (rate(before[i]!) + rate(after[i]!)) / 2) as [number, number];
    return [
      limit(`\`ws\` alone, ${name}: one message at a time, eight`, bare.map((n) => `${whole(n)}/s`).join(", ")),
      ratio(`broadcast, ${name}, one at a time`, one, bare[0]),
      ratio(`broadcast, ${name}, eight at a time`, many, bare[1]),
      reported(
        `processor time of Node for one delivery, ${name}, one at a time`,
        `${us((nodeMs * 1000) / one.deliveries)} (\`ws\` alone ${us((bareMs * 1000) / bareOne.deliveries)})`,
      ),
      {
        name: `broadcast, ${name}, at ${whole(perSecond)} messages/s: until the last has it`,
        value: `p50 ${ms(percentile(paced.lastMs, 0.5))}, p95 ${ms(percentile(paced.lastMs, 0.95))}${failed(paced.failures)}`,
        against: "p95 < 100 ms",
        isMet: percentile(paced.lastMs, 0.95) < 100 && paced.failures === 0,
      },
    ];
  } finally {
    await bareCrowd.stop();
    await bareServer.stop();
  }
}

const rate = (result: RoundsResult): number => result.deliveries / result.seconds;

const ratio = (name: string, result: RoundsResult, bare: number): Figure => ({
  name,
  value: `${whole(rate(result))} deliveries/s (${(rate(result) / bare).toFixed(2)} × \`ws\` alone)${failed(result.failures)}`,
  against: "≥ 0.7 × `ws` alone",
  isMet: rate(result) >= 0.7 * bare && result.failures === 0,
});

const roomNames = ({ rooms }: Rooms): string[] => Array.from({ length: rooms }, (_, i) => `r${i}`);

function by(rooms: Rooms, isAsDelivered: boolean): Rounds["by"] {
  return {
    how: "broadcast",
    isAsDelivered,
    // Sockets are in rooms in turn: the first of each sends.
    rooms: roomNames(rooms).map((topic, sender) => ({ topic, sender, receivers: rooms.members })),
  };
}
