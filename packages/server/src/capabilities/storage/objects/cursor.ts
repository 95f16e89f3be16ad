import { problems } from "../problems.ts";
import type { ListColumn, ListPlace } from "./list-types.ts";

/** Longest cursor, in characters: a name, a time, and what they are wrapped in. */
const maxChars = 8_192;
const columns: readonly ListColumn[] = ["name", "created_at", "updated_at"];

/** Where a list goes on, and in which order. Whoever makes one up sees nothing that a policy does not show anyway. */
export interface ListCursor extends ListPlace {
  readonly column: ListColumn;
  readonly isDescending: boolean;
}

/** Opaque to clients. */
export function writeCursor({ name, time, column, isDescending }: ListCursor): string {
  return Buffer.from(JSON.stringify([1, name, time, column, isDescending])).toString("base64url");
}

/** @throws Problem `InvalidParameter` */
export function readCursor(text: string): ListCursor {
  const refuse = () => problems.invalidParameter("Invalid cursor");
  if (text.length > maxChars || !/^[\w-]+$/.test(text)) throw refuse();
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(text, "base64url").toString("utf8"));
  } catch {
    throw refuse();
  }
  if (!Array.isArray(value) || value.length !== 5 || value[0] !== 1) throw refuse();
  const [, name, time, column, isDescending] = value as readonly unknown[];
  const known = columns.find((candidate) => candidate === column);
  if (typeof name !== "string" || name.includes("\0") || !name.isWellFormed()) throw refuse();
  if (time !== null && (typeof time !== "string" || !/^\d{4,6}(?:-\d\d){2} \d\d(?::\d\d){2}\.\d{6}\+00$/.test(time))) {
    throw refuse();
  }
  if (known === undefined || typeof isDescending !== "boolean" || (known === "name" && time !== null)) throw refuse();
  // What looks like a time need not be one, and PostgreSQL would say so in words of its own.
  if (time !== null && Number.isNaN(Date.parse(time.replace(" ", "T").replace("+00", "Z")))) throw refuse();
  return { name, time, column: known, isDescending };
}
