import type { Figure } from "./scenarios.ts";

/** The figures as Markdown: a table for the machine, a table for the measurements. */
export function renderReport(
  machine: readonly (readonly [string, string])[],
  figures: readonly Figure[],
  method: { readonly seconds: number; readonly connections: number },
): string {
  const verdict = { true: "met", false: "**not met**", null: "not measured" } as const;
  return [
    "",
    `Measured on ${new Date().toISOString().slice(0, 10)}, ${method.connections} connections, ${method.seconds} s a scenario.`,
    "",
    "| Machine | |",
    "|---|---|",
    ...machine.map(([name, value]) => `| ${name} | ${value} |`),
    "",
    "| What | Measured | Goal | |",
    "|---|---|---|---|",
    ...figures.map(
      ({ name, value, against, isMet }) => `| ${name} | ${value} | ${against} | ${verdict[String(isMet) as "true"]} |`,
    ),
    "",
  ].join("\n");
}
