import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { tell } from "./demo/say.ts";
import { cli, findServer, isServing, projectDir, type Server } from "./demo/server.ts";
import { openLiveSite } from "./live/site.ts";

/** Where the page is, unless `--port` says otherwise. */
const usualPort = 54_380;

/** Shows two people of Roam side by side in a browser. Starts the server when none runs, and stops it then in the end. */
async function main(): Promise<void> {
  const { values } = parseArgs({
    options: { url: { type: "string" }, key: { type: "string" }, port: { type: "string" } },
  });
  const stopped = new Promise<void>((resolve) => {
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP", "disconnect"]) process.once(signal, () => resolve());
  });
  const found = findServer(values);
  const isThere = await isServing(found.url);
  if (!isThere && values.url !== undefined) throw new Error(`No server answers at ${found.url}.`);
  const own = isThere ? null : startServer();
  try {
    const server = own === null ? found : await whenServing(own);
    if (server === null) return;
    const port = values.port === undefined ? usualPort : Number(values.port);
    const site = await openLiveSite(server, port).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== "EADDRINUSE" || values.port !== undefined) throw error;
      return openLiveSite(server, 0);
    });
    tell(`Ada and Davi, side by side: ${site.url}`);
    await (own === null ? stopped : Promise.race([stopped, once(own, "exit")]));
    await site.stop();
  } finally {
    if (own?.exitCode === null) {
      own.kill("SIGTERM");
      await once(own, "exit");
    }
    // The launcher's channel would keep this process.
    if (process.connected) process.disconnect();
  }
}

/** As `npm start` does. Over the channel it hears of our end, however that comes. */
function startServer(): ChildProcess {
  return spawn(process.execPath, [cli, "dev", "--dir", projectDir], { stdio: ["ignore", "inherit", "inherit", "ipc"] });
}

/** Waits for the first start, too, which makes the database. `null` when it ends instead; it has said why. */
async function whenServing(own: ChildProcess): Promise<Server | null> {
  while (own.exitCode === null && own.signalCode === null) {
    await sleep(300);
    const server = findServer({});
    if (await isServing(server.url)) return server;
  }
  process.exitCode = own.exitCode ?? 1;
  return null;
}

try {
  await main();
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}
