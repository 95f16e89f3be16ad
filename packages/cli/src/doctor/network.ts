import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { isPortFree, nextFreePort, portHolder } from "../serve/port.ts";
import { readRunRecord } from "../serve/run-record.ts";
import { type Check, ok, warn } from "./finding.ts";

/** The port is free, or ours already. */
export const checkPort: Check = async ({ config }) => {
  if (config === null) return [];
  const { port, host } = config.http;
  const record = readRunRecord(config.project.dataDir);
  if (record !== null)
    return [ok("port", `served at ${record.url} by process ${record.pid} since ${record.startedAt}`)];
  if (port === 0 || (await isPortFree(port, host))) return [ok("port", `port ${port} of ${host} is free`)];
  const holder = portHolder(port);
  const next = await nextFreePort(port, host);
  return [
    warn(
      "port",
      `port ${port} of ${host} is used by ${holder === null ? "another process" : `process ${holder.pid} (${holder.command})`}`,
      `\`mainstay dev\` takes the next free one by itself; for \`mainstay start\` stop it, or say --port ${next ?? "<number>"}.`,
    ),
  ];
};

/** Websockets are connections, too: where they may take all of them, requests get none. */
export const checkConnections: Check = ({ config }) => {
  if (config === null || !config.realtime.realtimeEnabled) return [];
  const { connectionsLimit } = config.http;
  const { realtimeConnectionsLimit } = config.realtime;
  const found = `${connectionsLimit} connections, of which websockets may be ${realtimeConnectionsLimit}`;
  if (connectionsLimit > realtimeConnectionsLimit) return [ok("connections", found)];
  return [
    warn(
      "connections",
      `${found}: they leave no room for requests`,
      "Raise MAINSTAY_CONNECTIONS_LIMIT, or lower MAINSTAY_REALTIME_CONNECTIONS_LIMIT.",
    ),
  ];
};

/** What a killed server leaves behind is taken care of by the next start; it is said so that nobody deletes files by hand. */
export const checkLeftovers: Check = ({ config }) => {
  if (config === null || config.postgres.databaseUrl) return [];
  const file = join(config.project.dataDir, "postgres", "data", "postmaster.pid");
  if (!existsSync(file) || readRunRecord(config.project.dataDir) !== null) return [];
  const pid = Number.parseInt(readFileSync(file, "utf8"), 10);
  return [
    ok(
      "leftovers",
      `PostgreSQL was not stopped (process ${pid}): the next start adopts it, or recovers. Do not delete postmaster.pid.`,
    ),
  ];
};
