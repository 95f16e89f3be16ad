import { availableParallelism } from "node:os";
import { join } from "node:path";
import { defineConfig } from "vitest/config";

// Compiled code is kept: tests start the command hundreds of times, and many of them in a home folder that was empty a moment ago.
process.env.NODE_COMPILE_CACHE ??= join(import.meta.dirname, "node_modules/.cache/compiled");

export default defineConfig({
  test: {
    // What is waited for comes when a busy machine lets it: only a failure takes so long.
    testTimeout: 60_000,
    hookTimeout: 120_000,
    expect: { poll: { timeout: 30_000 } },
    // More than a small machine has cores, for most of its time a test waits; and no more than one PostgreSQL has connections for. The same for
    // all projects, or they run one after another.
    maxWorkers: Math.min(Math.max(3, availableParallelism()), 6),
    projects: [
      {
        extends: true,
        test: {
          name: "unit",
          // Pure: nothing of a file is left for the next, and a process for each would take longer than most of them.
          isolate: false,
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
