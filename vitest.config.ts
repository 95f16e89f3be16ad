import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    // What is waited for comes when a busy machine lets it: only a failure takes so long.
    testTimeout: 60_000,
    hookTimeout: 120_000,
    expect: { poll: { timeout: 30_000 } },
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
          maxWorkers: 2,
        },
      },
      {
        extends: true,
        test: {
          name: "conformance",
          include: ["conformance/**/*.test.ts"],
          globalSetup: "packages/testing/src/cluster.ts",
          maxWorkers: 2,
        },
      },
    ],
  },
});
