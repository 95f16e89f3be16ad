import { findingsOf, summary } from "../commands/migrate-check.ts";
import { type Check, fail, ok, warn } from "./finding.ts";

/** What the linter says of the migrations, in one line. */
export const checkLint: Check = async ({ cli, config, projectDir }) => {
  if (config === null || config.project.migrationsDir === null) return [];
  const findings = await findingsOf(cli, projectDir);
  const remedy = "See: mainstay migrate check";
  if (findings.some(({ level }) => level === "error")) return [fail("lint", summary(findings), remedy)];
  if (findings.some(({ level }) => level === "warning")) return [warn("lint", summary(findings), remedy)];
  return [ok("lint", "the migrations have row level security, indexed policies and nothing that blocks")];
};
