import pg from "pg";
import type { Figure } from "../scenarios.ts";
import { databaseUrlOf, startServer } from "../server.ts";
import { anonKey } from "../tokens.ts";
import type { RealtimeBench } from "./bench.ts";
import { broadcasts } from "./broadcasts.ts";
import { connections, inspectPortOf, unused } from "./connections.ts";
import { startCrowd } from "./crowd.ts";
import { changeToClient } from "./latency.ts";
import { matching } from "./matching.ts";
import { membership } from "./membership.ts";
import { projectForRealtime, roomForCrowds } from "./project.ts";

export const realtimeParts = ["latency", "broadcasts", "matching", "membership", "connections", "unused"] as const;
export type RealtimePart = (typeof realtimeParts)[number];

/** @param port of the server; the next is used as well, and one below those that clients get */
export async function realtime(options: {
  readonly port: number;
  readonly seconds: number;
  readonly parts: readonly RealtimePart[];
}): Promise<Figure[]> {
  const { port, parts } = options;
  const project = projectForRealtime();
  try {
    const figures: Figure[] = [];
    const together = parts.filter((part) => part !== "unused" && part !== "connections");
    if (together.length > 0) figures.push(...(await used(project.dir, { ...options, parts: together })));
    // By itself: what others leave behind in memory is none of its.
    if (parts.includes("connections"))
      figures.push(...(await used(project.dir, { ...options, parts: ["connections"] })));
    if (parts.includes("unused")) figures.push(...(await unused(project.dir, port, roomForCrowds)));
    return figures;
  } finally {
    project.remove();
  }
}

async function used(
  dir: string,
  {
    port,
    seconds,
    parts,
  }: { readonly port: number; readonly seconds: number; readonly parts: readonly RealtimePart[] },
): Promise<Figure[]> {
  const [freePort, inspectPort] = [port + 1, inspectPortOf(port)];
  const server = await startServer(dir, port, { ...roomForCrowds, NODE_OPTIONS: `--inspect-port=${inspectPort}` });
  const apiKey = anonKey();
  const databaseUrl = await databaseUrlOf(dir);
  const crowd = startCrowd({ port, paths: [`/realtime/v1/websocket?apikey=${apiKey}&vsn=2.0.0`] });
  const sql = new pg.Client({ connectionString: databaseUrl });
  await sql.connect();
  const bench: RealtimeBench = { server, crowd, sql, databaseUrl, anonKey: apiKey, seconds, freePort, inspectPort };
  const figures: Figure[] = [];
  try {
    if (parts.includes("latency")) figures.push(...(await changeToClient(bench)));
    if (parts.includes("broadcasts")) figures.push(...(await broadcasts(bench)));
    if (parts.includes("matching")) figures.push(...(await matching(bench)));
    if (parts.includes("membership")) figures.push(...(await membership(bench)));
    if (parts.includes("connections")) figures.push(...(await connections(bench)));
    return figures;
  } finally {
    await sql.end();
    await crowd.stop();
    await server.stop();
  }
}
