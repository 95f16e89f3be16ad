import type { Figure } from "./scenarios.ts";

/** What is measured by itself, and replaced by itself in the report. */
export type Section = "figures" | "functions" | "realtime" | "storage" | "jobs" | "changes";

const sections: readonly Section[] = ["figures", "realtime", "storage", "functions", "jobs", "changes"];
const markOf = (section: Section): string => `<!-- ${section} -->`;

/** The figures as Markdown: a table for the machine, a table for the measurements. */
export function renderReport(
  machine: readonly (readonly [string, string])[],
  figures: readonly Figure[],
  /** How long, how many. */
  method: string,
): string {
  const verdict = { true: "met", false: "**not met**", null: "not measured" } as const;
  return [
    "",
    `Measured on ${new Date().toISOString().slice(0, 10)}, ${method}.`,
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

/** The document with new figures in one section: what stands between its mark and the next. The words before it stay. */
export function withSection(document: string, section: Section, report: string): string {
  const from = document.indexOf(markOf(section));
  if (from < 0) throw new Error(`The report has no place for ${section}: ${markOf(section)} is missing.`);
  const start = from + markOf(section).length;
  const ends = sections.map((other) => document.indexOf(endOf(other), start)).filter((at) => at >= 0);
  return `${document.slice(0, start)}\n${report}${document.slice(Math.min(document.length, ...ends))}`;
}

/** Words of the next section begin here. */
const endOf = (section: Section): string => `\n<!-- about ${section} -->`;
