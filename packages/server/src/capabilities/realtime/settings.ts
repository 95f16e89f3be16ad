import { flag, integer, type Settings } from "../../kernel/settings.ts";
import { broadcastSettings } from "./broadcast/settings.ts";
import { channelSettings } from "./channels/settings.ts";
import { messagesSettings } from "./messages/settings.ts";
import { presenceSettings } from "./presence/settings.ts";
import { resumeSettings } from "./resume/settings.ts";
import { rowChangesSettings } from "./row-changes/settings.ts";
import { socketSettings } from "./socket/settings.ts";

/** Options of realtime as a whole. */
const wholeSettings = {
  realtimeEnabled: flag({
    env: ["MAINSTAY_REALTIME_ENABLED"],
    default: true,
    summary: "Whether websockets and broadcasts are served at `/realtime/v1`.",
  }),
  realtimeReportMs: integer({
    env: ["MAINSTAY_REALTIME_REPORT_MS"],
    default: 60_000,
    unit: "ms",
    min: 0,
    summary: "How often the log says how many clients are here, when that has changed (0: never).",
  }),
} satisfies Settings;

/** Every option of realtime, each kept with the room that reads it. */
export const realtimeSettings = {
  ...wholeSettings,
  ...socketSettings,
  ...channelSettings,
  ...broadcastSettings,
  ...messagesSettings,
  ...presenceSettings,
  ...rowChangesSettings,
  ...resumeSettings,
} satisfies Settings;
