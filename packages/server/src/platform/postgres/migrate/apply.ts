import pg from "pg";
import { leftOut } from "./extensions.ts";
import { failure } from "./failure.ts";
import type { MigrationFile } from "./files.ts";
import { type ParsedFile, parseFile, type Statement } from "./parser.ts";
import { migrationProblems } from "./problems.ts";
import { settleUnfinished } from "./resume.ts";
import { resetSession, resumeRole, type Session } from "./session.ts";
import { clearProgress, readProgress, recordOwn, recordProject, writeProgress } from "./store.ts";
import { planFile, type Unit } from "./transactions.ts";

/** An older binary must refuse a database that has such a migration. */
const breakingHeader = /^--!\s*breaking\s*$/m;

export const isBreaking = (sql: string): boolean => breakingHeader.test(sql);

/**
 * Applies one of Mainstay's own files: the whole text at once, in one transaction with its record, as the login. It is not
 * parsed here (the server does), so that a first start does without the parser.
 */
export async function applyOwn(session: Session, file: MigrationFile): Promise<void> {
  const { client } = session;
  await client.query("reset session authorization; reset all; set lock_timeout = '60s'; begin");
  try {
    await client.query(file.sql);
    await recordOwn(client, { ...file, isBreaking: isBreaking(file.sql) });
    await client.query("commit");
  } catch (error) {
    await client.query("rollback").catch(() => {});
    throw failure(migrationProblems.failed, { file: file.file, line: 1, sql: file.sql }, error, nothingKept);
  }
}

const nothingKept = "Nothing of this file was applied.";

/** Applies one file of the project: whole, or unit by unit when it cannot be in a transaction. */
export async function applyProject(session: Session, file: MigrationFile, tableLockWaitMs: number): Promise<void> {
  const parsed = await parseFile(file.sql, file.file);
  const plan = planFile(file.sql, parsed.statements);
  if (plan.mode === "refused") {
    const { statement, reason, hint } = plan;
    throw migrationProblems.refused(file.file, statement.line, reason, { hint, statement: statement.sql });
  }
  await resetSession(session, tableLockWaitMs);
  if (plan.mode === "transaction") await applyWhole(session, file, plan.statements, parsed);
  else await applyUnits(session, file, plan.units, parsed);
}

async function applyWhole(
  session: Session,
  file: MigrationFile,
  statements: readonly Statement[],
  parsed: ParsedFile,
): Promise<void> {
  const { client } = session;
  await client.query("begin");
  try {
    for (const statement of statements) await run(session, file, statement, nothingKept);
    await record(session, file, parsed);
    await client.query("commit");
  } catch (error) {
    await client.query("rollback").catch(() => {});
    throw error;
  }
}

/**
 * Each unit is recorded. One that can be in a transaction is, together with its record: it happens once. One that cannot is
 * marked before it is begun, so that a run that was killed asks the catalogue what became of it.
 */
async function applyUnits(
  session: Session,
  file: MigrationFile,
  units: readonly Unit[],
  parsed: ParsedFile,
): Promise<void> {
  const { client } = session;
  const { version, checksum } = file;
  const before = await asLogin(client, () => readProgress(client, version));
  if (before !== null && before.checksum !== checksum) {
    throw migrationProblems.changedHalfWay(file.file, before.unitsDone);
  }
  const done = before?.unitsDone ?? 0;
  for (const [index, unit] of units.entries()) {
    if (index < done) continue;
    const kept = `${index} of ${units.length} statements of this file are applied; the next run goes on here.`;
    const finish = () => writeProgress(client, version, { checksum, unitsDone: index + 1, isStarted: false });
    if (unit.isTransactional) {
      await inTransaction(client, async () => {
        for (const statement of unit.statements) await run(session, file, statement, kept);
        await asLogin(client, finish);
      });
      continue;
    }
    const [statement] = unit.statements;
    if (statement === undefined) continue;
    const wasStarted = index === done && before?.isStarted === true;
    if (!wasStarted || (await settleUnfinished(client, statement)) === "run") {
      await asLogin(client, () => writeProgress(client, version, { checksum, unitsDone: index, isStarted: true }));
      await run(session, file, statement, kept);
    }
    await asLogin(client, finish);
  }
  await inTransaction(client, async () => {
    await record(session, file, parsed);
    await asLogin(client, () => clearProgress(client, version));
  });
}

async function run(session: Session, file: MigrationFile, statement: Statement, afterwards: string): Promise<void> {
  session.signal.throwIfAborted();
  const skipped = await leftOut(session.client, statement.node);
  if (skipped !== null) {
    if (skipped.warning !== null) session.warnings.push(`${file.file}:${statement.line}: ${skipped.warning}`);
    return;
  }
  try {
    await session.client.query(statement.sql);
  } catch (error) {
    const at = { file: file.file, line: statement.line, sql: statement.sql };
    throw failure(migrationProblems.failed, at, error, afterwards);
  }
}

/** In the same transaction as what it records. */
async function record(session: Session, file: MigrationFile, parsed: ParsedFile): Promise<void> {
  await resumeRole(session);
  const statements = parsed.statements.map((statement) => statement.recorded);
  if (parsed.trailing !== "") statements.push(parsed.trailing);
  await recordProject(session.client, { version: file.version, name: file.name, statements });
}

async function inTransaction(client: pg.ClientBase, work: () => Promise<void>): Promise<void> {
  await client.query("begin");
  try {
    await work();
    await client.query("commit");
  } catch (error) {
    await client.query("rollback").catch(() => {});
    throw error;
  }
}

/** Our own tables belong to the login, not to the role the file runs as, or to one it has chosen itself. */
async function asLogin<T>(client: pg.ClientBase, work: () => Promise<T>): Promise<T> {
  const { rows } = await client.query<{ role: string }>("select current_setting('role') as role");
  await client.query("set role none");
  const result = await work();
  const role = rows[0]?.role ?? "none";
  if (role !== "none") await client.query(`set role ${pg.escapeIdentifier(role)}`);
  return result;
}
