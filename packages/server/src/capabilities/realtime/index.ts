import type { Capability } from "../../kernel/capability.ts";
import { createBroadcast } from "./broadcast/index.ts";
import { createChannels } from "./channels/index.ts";
import type { RealtimeContext } from "./context.ts";
import { createMessagesKeeper } from "./messages/index.ts";
import { createPresence } from "./presence/index.ts";
import { reportState } from "./report.ts";
import { createResume } from "./resume/index.ts";
import { Rooms } from "./rooms.ts";
import { createRowChanges } from "./row-changes/index.ts";
import { createSocketServer, type SocketStats } from "./socket/index.ts";

export { examineMessages, type MessagesState } from "./messages/index.ts";
export { realtimeSettings } from "./settings.ts";

export type RealtimeNeeds = Omit<RealtimeContext, "rooms">;

export interface RealtimeStats {
  readonly sockets: SocketStats;
  readonly channels: number;
  readonly privateChannels: number;
  readonly rooms: number;
}

/**
 * Changes, broadcast and presence on a websocket, under `/realtime/v1`. Switched off, it serves nothing and still keeps the messages that
 * the database sends to their days.
 */
export function createRealtime(needs: RealtimeNeeds): Capability {
  return needs.settings.realtimeEnabled ? served(needs) : unserved(needs);
}

function unserved(needs: RealtimeNeeds): Capability {
  const messages = createMessagesKeeper(needs);
  return {
    name: "realtime",
    routes: [],
    async start() {
      messages.start();
    },
    stop: () => messages.stop(),
  };
}

function served(needs: RealtimeNeeds): Capability {
  const context: RealtimeContext = { ...needs, rooms: new Rooms() };
  const presence = createPresence(context);
  const broadcast = createBroadcast(context);
  const rowChanges = createRowChanges(context);
  const resume = createResume(context, [rowChanges, broadcast]);
  // Their order is that of what follows a join's reply: who is here, what is replayed, what was missed, the word that row changes are on.
  const channels = createChannels(context, [presence, broadcast, resume, rowChanges]);
  const sockets = createSocketServer(context, channels.open);
  const messages = createMessagesKeeper(context);
  const stats = (): RealtimeStats => ({ sockets: sockets.stats(), rooms: context.rooms.size, ...channels.stats() });
  let stopReports = (): void => {};
  return {
    name: "realtime",
    routes: broadcast.routes,
    upgrades: [sockets.upgrade],
    async start() {
      channels.start();
      await presence.start();
      await broadcast.start();
      rowChanges.start();
      resume.start();
      messages.start();
      stopReports = reportState({
        stats,
        logStats: () => needs.log.stats(),
        observe: needs.observe,
        everyMs: needs.settings.realtimeReportMs,
      });
    },
    drain: () => sockets.drain(),
    async stop(signal) {
      stopReports();
      // Whoever is still there leaves first: that is news to other nodes, and what they come back with.
      await sockets.stop(signal);
      channels.stop();
      await resume.stop();
      rowChanges.stop();
      await presence.stop();
      await broadcast.stop();
      await messages.stop();
    },
  };
}
