import { openEmbeddedPostgres } from "./index.ts";

/** A process of its own that opens the folder it is given, says so, and stops PostgreSQL when asked by signal, as the server does. */
const [, , dataDir = "", settings = "{}", end = "when asked"] = process.argv;
const leaving = new AbortController();
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => leaving.abort(signal));

const say = (value: unknown): void => void process.stdout.write(`${JSON.stringify(value)}\n`);
try {
  const postgres = await openEmbeddedPostgres({
    dataDir,
    observe: (observation) => say({ observation }),
    settings: JSON.parse(settings),
    signal: leaving.signal,
  });
  say({ ready: { pid: postgres.pid(), wasAdopted: postgres.wasAdopted } });
  if (end === "by an error") {
    setTimeout(() => {
      throw new Error("a bug");
    });
  }
  const untilAsked = setInterval(() => {}, 1_000);
  if (!leaving.signal.aborted) await new Promise((resolve) => leaving.signal.addEventListener("abort", resolve));
  clearInterval(untilAsked);
  await postgres.stop();
} catch (error) {
  say({ failed: { code: (error as { code?: string }).code, message: (error as Error).message } });
  process.exitCode = 1;
}
