import type { Database } from "../database.ts";
import { judgeStatement } from "./check/blocking.ts";
import { readModel } from "./check/from-database.ts";
import { createdBy, learn } from "./check/from-statements.ts";
import { judge } from "./check/judge.ts";
import { emptyModel } from "./check/model.ts";
import type { Finding, Place } from "./check/rules.ts";
import type { MigrationFile } from "./files.ts";
import { parseFile } from "./parser.ts";

export { type Finding, type Level, type Rule, rules } from "./check/rules.ts";

export interface CheckOptions {
  /** Schemas the API serves: tables and views there are asked for row level security. */
  readonly schemas: readonly string[];
}

/**
 * Reads a project's migrations as PostgreSQL would and says what is dangerous in the schema they end in, and which statements
 * block or break a running app. Needs no database.
 * @param files all of the project, in order: what an earlier file made is part of the picture
 * @throws Problem `migrations/syntax`
 */
export async function checkMigrations(
  files: readonly MigrationFile[],
  options: CheckOptions,
): Promise<readonly Finding[]> {
  const model = emptyModel();
  const findings: Finding[] = [];
  for (const file of files) {
    const fresh = new Set<string>();
    for (const { node, line, recorded } of (await parseFile(file.sql, file.file)).statements) {
      const place: Place = { file: file.file, line, allowed: allowedRules(recorded) };
      const created = createdBy(node);
      if (created !== null) fresh.add(created);
      findings.push(...judgeStatement(node, place, (key) => fresh.has(key)));
      learn(model, node, place);
    }
  }
  return sorted([...findings, ...judge(model, options.schemas)]);
}

/** Says the same of a database as it is, whoever made it; without what only a statement can be blamed for. */
export async function checkDatabase(database: Database, options: CheckOptions): Promise<readonly Finding[]> {
  const client = await database.connect();
  try {
    return sorted(judge(await readModel(client), options.schemas));
  } finally {
    await client.end();
  }
}

/** `-- mainstay: allow rls-disabled, index-blocks-writes` among the comments before a statement. */
function allowedRules(recorded: string): ReadonlySet<string> {
  const leading = /^(?:\s+|--[^\n]*(?:\n|$)|\/\*[\s\S]*?\*\/)*/.exec(recorded)?.[0] ?? "";
  const names = [...leading.matchAll(/^\s*--\s*mainstay:\s*allow\s+(.*)$/gim)].flatMap((match) =>
    (match[1] ?? "").split(/[\s,]+/),
  );
  return new Set(names);
}

const sorted = (findings: readonly Finding[]): readonly Finding[] =>
  findings.toSorted(
    (a, b) =>
      compareText(a.file ?? "", b.file ?? "") ||
      (a.line ?? 0) - (b.line ?? 0) ||
      compareText(a.object, b.object) ||
      compareText(a.rule, b.rule),
  );

const compareText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
