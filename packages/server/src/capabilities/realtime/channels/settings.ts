import { flag, integer, type Settings } from "../../../kernel/settings.ts";

/** Options of joining, leaving and who may. */
export const channelSettings = {
  realtimeChannelsPerSocket: integer({
    env: ["MAINSTAY_REALTIME_CHANNELS_PER_SOCKET", "TENANT_MAX_CHANNELS_PER_CLIENT"],
    default: 100,
    unit: "channels",
    min: 1,
    summary: "The most channels one connection may have joined at a time.",
  }),
  // Not Supabase's TENANT_MAX_JOINS_PER_SECOND: that counts a whole project's.
  realtimeJoinsPerSecond: integer({
    env: ["MAINSTAY_REALTIME_JOINS_PER_SECOND"],
    default: 100,
    unit: "joins",
    min: 1,
    summary: "The most joins per second one connection may ask for; beyond it the connection is closed.",
  }),
  realtimeMaxRooms: integer({
    env: ["MAINSTAY_REALTIME_MAX_ROOMS"],
    default: 100_000,
    unit: "rooms",
    min: 1,
    summary: "The most different channels that clients of one node may have joined at a time.",
  }),
  realtimeTopicMaxBytes: integer({
    env: ["MAINSTAY_REALTIME_TOPIC_MAX_BYTES"],
    default: 255,
    unit: "bytes",
    min: 16,
    max: 255,
    summary: "The longest topic a client may join, `realtime:` included; binary frames have no room for more.",
  }),
  realtimeJoinMaxBytes: integer({
    env: ["MAINSTAY_REALTIME_JOIN_MAX_BYTES"],
    default: 262_144,
    unit: "bytes",
    min: 1024,
    summary: "The largest configuration and token a join may carry.",
  }),
  realtimeHeldBytes: integer({
    env: ["MAINSTAY_REALTIME_HELD_BYTES"],
    default: 1_048_576,
    unit: "bytes",
    min: 1024,
    summary:
      "What may wait for a channel while it joins or is sent what it missed; beyond it the connection is closed.",
  }),
  realtimePrivateOnly: flag({
    env: ["MAINSTAY_REALTIME_PRIVATE_ONLY"],
    default: false,
    summary: "Refuse public channels, which anybody with a key may read and write.",
  }),
  realtimeRecheckMs: integer({
    env: ["MAINSTAY_REALTIME_RECHECK_MS"],
    default: 300_000,
    unit: "ms",
    min: 1_000,
    max: 300_000,
    summary: "How often a private channel's rights are asked for again, whatever happens.",
  }),
  realtimeRulesPollMs: integer({
    env: ["MAINSTAY_REALTIME_RULES_POLL_MS"],
    default: 2_000,
    unit: "ms",
    min: 100,
    max: 60_000,
    summary:
      "How often a node with private channels looks whether their policies, or tables these look into, have changed.",
  }),
  realtimeRechecksPerSecond: integer({
    env: ["MAINSTAY_REALTIME_RECHECKS_PER_SECOND"],
    default: 500,
    unit: "checks",
    min: 1,
    summary:
      "How many private channels per second are asked about again because a table changed that policies look into.",
  }),
} satisfies Settings;
