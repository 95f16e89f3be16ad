import { problems } from "../problems.ts";
import { readCursor, writeCursor } from "./cursor.ts";
import {
  type JsonBody,
  optionalFlag,
  optionalInteger,
  optionalObject,
  optionalText,
  requiredText,
} from "./json-body.ts";
import type { Level, ListColumn, Listed, Page } from "./list-types.ts";

/** Names of a page when nobody says how many (protocols: listing). */
const levelLimit = 100;
const pageLimit = 1_000;

/** What `POST /object/list/{bucket}` asks for. @throws Problem `InvalidRequest` */
export function readLevel(bucketId: string, body: JsonBody, limitMost: number): Level {
  const prefix = requiredText(body, "prefix");
  const search = optionalText(body, "search") ?? "";
  const relativeTo = prefix === "" || prefix.endsWith("/") ? prefix : `${prefix}/`;
  // A search with folders in it goes down into them.
  const down = search.lastIndexOf("/") + 1;
  return {
    bucketId,
    folder: relativeTo + search.slice(0, down),
    search: search.slice(down),
    relativeTo,
    ...readOrder(body, ["name", "updated_at", "created_at", "last_accessed_at"]),
    offset: optionalInteger(body, "offset", 0) ?? 0,
    limit: Math.min(optionalInteger(body, "limit", 1) ?? levelLimit, limitMost),
  };
}

/** What `POST /object/list-v2/{bucket}` asks for. A cursor knows its order; what the request says of one does not matter then. @throws Problem */
export function readPage(bucketId: string, body: JsonBody, limitMost: number): Page {
  const order = readOrder(body, ["name", "updated_at", "created_at"]);
  const text = optionalText(body, "cursor");
  const cursor = text === undefined || text === "" ? null : readCursor(text);
  return {
    bucketId,
    prefix: optionalText(body, "prefix") ?? "",
    isLevel: optionalFlag(body, "with_delimiter") ?? false,
    column: cursor?.column ?? order.column,
    isDescending: cursor?.isDescending ?? order.isDescending,
    after: cursor === null ? null : { name: cursor.name, time: cursor.time },
    limit: Math.min(optionalInteger(body, "limit", 1) ?? pageLimit, pageLimit, limitMost),
  };
}

/** The answer to it. `listed` has one name more than the page when there is another page. */
export function pageAnswer(page: Page, listed: readonly Listed[]) {
  const shown = listed.slice(0, page.limit);
  const hasNext = listed.length > shown.length;
  const last = shown.at(-1);
  const folderChars = page.prefix.lastIndexOf("/") + 1;
  const keyOf = (name: string): string => name.slice(folderChars).replace(/\/$/, "");
  const { column, isDescending } = page;
  return {
    hasNext,
    folders: shown.flatMap(({ name, object }) => (object === null ? [{ key: keyOf(name), name }] : [])),
    objects: shown.flatMap(({ name, object }) =>
      object === null ? [] : [page.isLevel ? { key: keyOf(name), ...object } : object],
    ),
    ...(hasNext && last !== undefined
      ? {
          nextCursor: writeCursor({ name: last.name, time: last.time, column, isDescending }),
          nextCursorKey: last.name,
        }
      : {}),
  };
}

function readOrder(
  body: JsonBody,
  columns: readonly ListColumn[],
): { readonly column: ListColumn; readonly isDescending: boolean } {
  const sortBy = optionalObject(body, "sortBy");
  if (sortBy === undefined) return { column: "name", isDescending: false };
  const column = columns.find((candidate) => candidate === sortBy.column);
  if (column === undefined)
    throw problems.invalidRequest("body/sortBy/column must be equal to one of the allowed values");
  const { order } = sortBy;
  // Dart sends an empty text for none.
  if (order !== undefined && order !== null && order !== "" && order !== "asc" && order !== "desc") {
    throw problems.invalidRequest("body/sortBy/order must be equal to one of the allowed values");
  }
  return { column, isDescending: order === "desc" };
}
