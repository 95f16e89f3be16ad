import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    testTimeout: 20_000,
    hookTimeout: 60_000,
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
        test: { name: "pg", include: ["packages/**/*.pg.test.ts", "examples/**/*.pg.test.ts"], maxWorkers: 2 },
      },
      {
        extends: true,
        test: { name: "conformance", include: ["conformance/**/*.test.ts"], maxWorkers: 2 },
      },
    ],
  },
});
