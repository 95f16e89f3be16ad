import type { ChannelConfig } from "../types.ts";

/** What clients take for ours (supabase-js: `postgres_changes_options.timeout`). */
const defaultWaitMs = 15_000;

/**
 * What a `phx_join` asks for (protocols: join). What is missing, or is not what it should be, is as if left out: SDKs of all ages send
 * this, and a join refused for a field that nobody reads would help nobody.
 */
export function parseConfig(payload: unknown): ChannelConfig {
  const config = field(payload, "config");
  const broadcast = field(config, "broadcast");
  const presence = field(config, "presence");
  const rowChanges = field(config, "postgres_changes");
  const rowChangesOptions = field(config, "postgres_changes_options");
  const waitMs = field(rowChangesOptions, "timeout");
  const key = field(presence, "key");
  return {
    isPrivate: isOn(field(config, "private")),
    broadcast: {
      ack: isOn(field(broadcast, "ack")),
      self: isOn(field(broadcast, "self")),
      replay: field(broadcast, "replay"),
      isReplicationReadyWanted: isOn(field(broadcast, "replication_ready")),
    },
    presence: { key: typeof key === "string" ? key : "", enabled: isOn(field(presence, "enabled")) },
    rowChanges: Array.isArray(rowChanges) ? rowChanges.filter(isObject) : [],
    rowChangesWaitMs: isOn(field(rowChangesOptions, "wait")) ? (isDuration(waitMs) ? waitMs : defaultWaitMs) : null,
  };
}

/** A key of a JSON object. Only its own: `__proto__` and the like are nobody's configuration (threat B12). */
export function field(value: unknown, name: string): unknown {
  return isObject(value) && Object.hasOwn(value, name) ? value[name] : undefined;
}

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const isDuration = (value: unknown): value is number => typeof value === "number" && value >= 0;

/** Some SDKs send booleans as text. */
const isOn = (value: unknown): boolean => value === true || value === "true";
