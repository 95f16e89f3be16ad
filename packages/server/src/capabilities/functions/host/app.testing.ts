import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { type BootedApp, type BootOptions, boot } from "@mainstay/testing";

export interface FunctionsApp extends BootedApp {
  readonly projectDir: string;
  /** Calls a function with the anon key. */
  call(path: string, init?: RequestInit): Promise<Response>;
}

const repository = fileURLToPath(new URL("../../../../../..", import.meta.url));

/** A server with these files in `functions/`. */
export async function openFunctionsApp(
  files: Readonly<Record<string, string>>,
  options: Omit<BootOptions, "projectDir"> = {},
): Promise<FunctionsApp> {
  const projectDir = mkdtempSync(join(tmpdir(), "functions-app-"));
  for (const [name, source] of Object.entries(files)) {
    const path = join(projectDir, "functions", name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, source);
  }
  symlinkSync(join(repository, "node_modules"), join(projectDir, "node_modules"));
  const app = await boot({ ...options, projectDir });
  const stopApp = app.stop.bind(app);
  return Object.assign(app, {
    projectDir,
    call: (path: string, init: RequestInit = {}) =>
      fetch(`${app.url}/functions/v1/${path}`, {
        ...init,
        headers: { authorization: `Bearer ${app.anonKey}`, ...(init.headers as Record<string, string>) },
      }),
    stop: async () => {
      await stopApp();
      rmSync(projectDir, { recursive: true, force: true });
    },
  });
}
