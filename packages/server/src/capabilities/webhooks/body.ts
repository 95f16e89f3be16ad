import { createHash } from "node:crypto";
import type { Change, ChangedRelation, RowImage } from "../../kernel/change.ts";
import { jsonOf } from "../../platform/changes/index.ts";
import type { Webhook } from "./types.ts";

/** A change of a row. */
export type RowChange = Exclude<Change, { readonly op: "truncate" }>;

/** Values up to here stay in a row that is too large, in bytes. */
const smallBytes = 64;
/** Longer keys of rows are known by their hash, in characters. */
const longestRowKey = 200;

/** What a message says of its change. */
export interface MessageFacts {
  /** The message's id, as in `webhook-id`. */
  readonly id: string;
  /** Unix microseconds of the commit, by PostgreSQL's clock. */
  readonly committedAtUs: bigint;
  readonly maxRowBytes: number;
}

/**
 * What a webhook sends of a change, as JSON text: the shape of Supabase's Database Webhooks, with the message's id and the time of the commit.
 * Of an old row there is what the table's replica identity keeps. Numbers keep their digits.
 */
export function messageBody(
  webhook: Pick<Webhook, "schema" | "table" | "columns">,
  change: RowChange,
  { id, committedAtUs, maxRowBytes }: MessageFacts,
): string {
  const row = (image: RowImage | null) =>
    image === null ? "null" : rowJson(change.relation, image, webhook.columns, maxRowBytes);
  const parts = [
    `"type":${JSON.stringify(change.op.toUpperCase())}`,
    `"table":${JSON.stringify(webhook.table)}`,
    `"schema":${JSON.stringify(webhook.schema)}`,
    `"record":${row(change.new)}`,
    `"old_record":${row(oldImage(change))}`,
    `"id":${JSON.stringify(id)}`,
    `"timestamp":${JSON.stringify(new Date(Number(committedAtUs / 1_000n)).toISOString())}`,
  ];
  return `{${parts.join(",")}}`;
}

/** What was before: without an old image in the log the key, which is what it was. */
export function oldImage(change: RowChange): RowImage | null {
  if (change.op === "insert") return null;
  if (change.old !== null) return change.old;
  const { columns } = change.relation;
  return change.new.map((text, at) => (columns[at]!.isKey ? text : undefined));
}

/** A row as JSON text. What the log does not say is not in it. @param only these columns; `null`: all */
export function rowJson(
  relation: ChangedRelation,
  image: RowImage,
  only: readonly string[] | null,
  maxBytes: number,
): string {
  const sizeBytes = image.reduce((sum, text) => sum + (text == null ? 0 : Buffer.byteLength(text)), 0);
  const pairs = relation.columns.flatMap((column, at) => {
    const text = image[at];
    if (text === undefined || (only !== null && !only.includes(column.name))) return [];
    if (sizeBytes > maxBytes && text !== null && Buffer.byteLength(text) > smallBytes) return [];
    return [`${JSON.stringify(column.name)}:${jsonOf(column, text)}`];
  });
  return `{${pairs.join(",")}}`;
}

/**
 * Names a row among those of its table, by the values before the change: what happened to it comes one after another. `null` without a
 * primary key to name it by.
 */
export function rowKey(change: RowChange, primaryKey: readonly string[]): string | null {
  const values = primaryKey.map((name) => {
    const at = change.relation.indexOf(name);
    return change.old?.[at] ?? change.new?.[at];
  });
  if (values.length === 0 || values.some((value) => value == null)) return null;
  const text = JSON.stringify(values);
  return text.length <= longestRowKey ? text : createHash("sha256").update(text).digest("base64url");
}
