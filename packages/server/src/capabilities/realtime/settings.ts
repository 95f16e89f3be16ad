import type { Settings } from "../../kernel/settings.ts";
import { broadcastSettings } from "./broadcast/settings.ts";
import { channelSettings } from "./channels/settings.ts";
import { messagesSettings } from "./messages/settings.ts";
import { presenceSettings } from "./presence/settings.ts";
import { resumeSettings } from "./resume/settings.ts";
import { rowChangesSettings } from "./row-changes/settings.ts";
import { socketSettings } from "./socket/settings.ts";

/** Every option of realtime, each kept with the room that reads it. */
export const realtimeSettings = {
  ...socketSettings,
  ...channelSettings,
  ...broadcastSettings,
  ...messagesSettings,
  ...presenceSettings,
  ...rowChangesSettings,
  ...resumeSettings,
} satisfies Settings;
