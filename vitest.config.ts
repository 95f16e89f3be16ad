import { join } from "node:path";
import { defineConfig } from "vitest/config";
import { openRunFolder } from "./packages/testing/src/run-folder.ts";

// Compiled code is kept: tests start the command hundreds of times, and many of them in a home folder that was empty a moment ago.
process.env.NODE_COMPILE_CACHE ??= join(import.meta.dirname, "node_modules/.cache/compiled");

openRunFolder();

export default defineConfig({
  test: {
    // What is waited for comes when a busy machine lets it: only a failure takes so long.
    testTimeout: 60_000,
    hookTimeout: 120_000,
    expect: { poll: { timeout: 30_000 } },
    // More than twice what a small machine has of cores, for most of its time a test waits; and no more than one PostgreSQL has connections for. The
    // same for all projects, or they run one after another.
    maxWorkers: 5,
    // What a file has opened it closes, and nothing of it is left for the next; loading the server once more for each would take a third of the
    // whole time.
    isolate: false,
    projects: [
      {
        extends: true,
        test: {
          name: "unit",
          include: ["{packages,tools,examples}/**/*.test.ts"],
          exclude: ["**/*.pg.test.ts", "**/node_modules/**"],
        },
      },
      {
        extends: true,
        test: {
          name: "pg",
          include: ["{packages,examples,tools}/**/*.pg.test.ts"],
          globalSetup: "packages/testing/src/cluster.ts",
        },
      },
      {
        extends: true,
        test: {
          name: "conformance",
          include: ["conformance/**/*.test.ts"],
          globalSetup: "packages/testing/src/cluster.ts",
        },
      },
    ],
  },
});
