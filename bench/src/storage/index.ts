import type { Figure } from "../scenarios.ts";
import { databaseUrlOf, keysOf, startServer } from "../server.ts";
import { tokenOf } from "../tokens.ts";
import type { StorageBench } from "./bench.ts";
import { downloads } from "./downloads.ts";
import { large } from "./large.ts";
import { lists } from "./lists.ts";
import { projectForStorage, roomForLargeFiles } from "./project.ts";
import { resumable } from "./resumable.ts";
import { signed } from "./signed.ts";
import { transforms } from "./transforms.ts";
import { uploads } from "./uploads.ts";

/** In their order: a million rows come last, and what needs much memory to itself has its own server. */
const scenarios = { downloads, signed, uploads, resumable, transforms, large, lists } as const;
export type StoragePart = keyof typeof scenarios;
export const storageParts = Object.keys(scenarios) as StoragePart[];

/** Each part on a project and a server of its own: none finds what another has left in memory or in tables. @param port the next is used as well */
export async function storage(options: {
  readonly port: number;
  readonly seconds: number;
  readonly connections: number;
  readonly parts: readonly StoragePart[];
}): Promise<Figure[]> {
  const figures: Figure[] = [];
  for (const part of options.parts) figures.push(...(await alone(scenarios[part], options)));
  return figures;
}

async function alone(
  scenario: (bench: StorageBench) => Promise<Figure[]>,
  { port, seconds, connections }: { readonly port: number; readonly seconds: number; readonly connections: number },
): Promise<Figure[]> {
  const project = projectForStorage();
  try {
    const server = await startServer(project.dir, port, roomForLargeFiles);
    try {
      const { anonKey } = await keysOf(project.dir, roomForLargeFiles);
      return await scenario({
        server,
        dir: project.dir,
        databaseUrl: await databaseUrlOf(project.dir),
        anonKey,
        headers: { Authorization: `Bearer ${tokenOf(1)}` },
        connections,
        seconds,
        freePort: port + 1,
      });
    } finally {
      await server.stop();
    }
  } finally {
    project.remove();
  }
}
