import type { Accounts, ImportedIdentity, ImportedUser } from "@mainstay/server";
import { type FileRecord, type ReadRecord, RecordError } from "./record.ts";
import type { Source } from "./source.ts";

export interface ImportSummary {
  read: number;
  imported: number;
  /** Their id, address or number is there already, and was left as it is: so an import can be repeated. */
  exists: number;
  invalid: number;
  identities: number;
  /** The first of those that were refused. */
  readonly failures: { readonly line: number; readonly who: string; readonly reason: string }[];
}

export interface ImportFileOptions {
  readonly isDryRun: boolean;
  /** Accounts in one transaction. */
  readonly batchSize: number;
  /** Every address counts as confirmed. */
  readonly confirmsEmails: boolean;
  /** Looked at between batches. */
  readonly signal: AbortSignal;
  onProgress(summary: ImportSummary): void;
  onFailure(failure: ImportSummary["failures"][number]): void;
}

/** Refused entries kept for the summary; more are counted only. */
const maxFailures = 1_000;

/** Reads the file to its end and stores what is in it, batch by batch; what was stored stays when it is interrupted. */
export async function importFile(
  accounts: Pick<Accounts, "import" | "importIdentities">,
  source: Source,
  options: ImportFileOptions,
): Promise<ImportSummary> {
  const summary: ImportSummary = { read: 0, imported: 0, exists: 0, invalid: 0, identities: 0, failures: [] };
  const refuse = (line: number, who: string, reason: string) => {
    summary.invalid++;
    const failure = { line, who, reason };
    if (summary.failures.length < maxFailures) summary.failures.push(failure);
    options.onFailure(failure);
  };
  const read = <T>(record: ReadRecord, map: (record: FileRecord) => T): { line: number; value: T } | null => {
    if ("error" in record) {
      refuse(record.line, "", record.error);
      return null;
    }
    try {
      return { line: record.line, value: map(record) };
    } catch (error) {
      if (!(error instanceof RecordError)) throw error;
      refuse(record.line, nameOf(record.fields), error.message);
      return null;
    }
  };

  const confirm = (user: ImportedUser): ImportedUser =>
    options.confirmsEmails && user.email && !user.emailConfirmedAt
      ? { ...user, emailConfirmedAt: user.createdAt ?? new Date().toISOString() }
      : user;
  for await (const batch of batches(source.users(), options)) {
    summary.read += batch.length;
    const users = batch.map((record) => read(record, source.user)).filter((one) => one !== null);
    const outcomes = await accounts.import(
      users.map(({ value }) => confirm(value)),
      { isDryRun: options.isDryRun },
    );
    for (const [at, outcome] of outcomes.entries()) {
      const { line, value } = users[at]!;
      if (outcome.status === "invalid") refuse(line, value.email ?? value.phone ?? value.id ?? "", outcome.reason);
      else summary[outcome.status]++;
    }
    options.onProgress(summary);
  }
  if (source.identities !== null) {
    for await (const batch of batches(source.identities(), options)) {
      const identities = batch
        .map((record) => read(record, source.identity)?.value)
        .filter((one): one is ImportedIdentity & { readonly userId: string } => one !== undefined);
      summary.identities += await accounts.importIdentities(identities, { isDryRun: options.isDryRun });
      options.onProgress(summary);
    }
  }
  return summary;
}

async function* batches<T>(
  items: AsyncIterable<T>,
  { batchSize, signal }: Pick<ImportFileOptions, "batchSize" | "signal">,
): AsyncIterable<readonly T[]> {
  let batch: T[] = [];
  for await (const item of items) {
    batch.push(item);
    if (batch.length < batchSize) continue;
    signal.throwIfAborted();
    yield batch;
    batch = [];
  }
  if (batch.length > 0) yield batch;
}

/** How a person finds the entry in their file. */
function nameOf(fields: Readonly<Record<string, unknown>>): string {
  const name = fields.email ?? fields.phone ?? fields.phoneNumber ?? fields.username ?? fields.id ?? fields.localId;
  return typeof name === "string" ? name : "";
}
