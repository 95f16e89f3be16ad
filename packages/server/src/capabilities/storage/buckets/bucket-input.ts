import { isBucketId, readBucketId } from "../names.ts";
import { type JsonBody, optionalFlag, optionalText, requiredText, textList } from "../objects/json-body.ts";
import { problems } from "../problems.ts";
import { bucketProblems } from "./problems.ts";
import type { BucketChanges, BucketQuery, NewBucket } from "./types.ts";

const unitBytes: Readonly<Record<string, number>> = { b: 1, kb: 1e3, mb: 1e6, gb: 1e9, tb: 1e12 };
/** Longest media type in a bucket's list, in characters, and most of them. */
const maxTypeChars = 1_000;
const maxTypes = 1_000;
const mediaType = /^(?:\*|[\w+.-]+\/(?:\*|[\w+.-]+)(?:;\s*charset=[\w-]+)?|\*\/\*)$/;

/** What `POST /bucket` asks for. @throws Problem */
export function readNewBucket(body: JsonBody, limitBytes: number): NewBucket {
  const name = readBucketId(requiredText(body, "name"));
  const id = optionalText(body, "id") || name;
  const type = optionalText(body, "type") ?? "STANDARD";
  if (type === "ANALYTICS") throw bucketProblems.typeUnavailable(type);
  if (type !== "STANDARD") {
    throw problems.invalidRequest("body/type must be equal to one of the allowed values");
  }
  return { id: readBucketId(id), name, ...readRules(body, limitBytes) };
}

/** What `PUT /bucket/{id}` asks for: one thing at least. @throws Problem */
export function readChanges(body: JsonBody, limitBytes: number): BucketChanges {
  const changes = readRules(body, limitBytes);
  if (Object.values(changes).every((value) => value === undefined)) {
    throw problems.invalidRequest("body must have required property 'public'");
  }
  return changes;
}

/** The id in a path: one no bucket can have is not there. @throws Problem `NoSuchBucket` */
export function bucketIdOf(id: string): string {
  if (!isBucketId(id)) throw problems.noSuchBucket();
  return id;
}

function readRules(body: JsonBody, limitBytes: number): BucketChanges {
  const { file_size_limit: limit, allowed_mime_types: types } = body;
  return {
    isPublic: optionalFlag(body, "public"),
    fileSizeLimitBytes: limit === undefined || limit === null ? limit : readSize(limit, limitBytes),
    allowedMimeTypes: types === undefined || types === null ? types : readTypes(types),
  };
}

/** `20971520`, `"20mb"`: units are decimal (protocols: buckets). @throws Problem */
export function readSize(value: unknown, limitBytes: number): number {
  const match = typeof value === "string" ? /^(\d+(?:\.\d+)?)\s*([kmgt]?b)?$/i.exec(value.trim()) : null;
  const bytes =
    match === null
      ? Number(typeof value === "number" ? value : Number.NaN)
      : Math.floor(Number(match[1]) * unitBytes[(match[2] ?? "b").toLowerCase()]!);
  if (!Number.isInteger(bytes) || bytes < 0) throw problems.invalidRequest("body/file_size_limit must be integer");
  if (bytes > limitBytes) throw problems.entityTooLarge();
  return bytes;
}

function readTypes(value: unknown): readonly string[] {
  const types = textList(value, "allowed_mime_types").filter((type) => type !== "");
  if (types.length > maxTypes) throw problems.invalidRequest(`body/allowed_mime_types has more than ${maxTypes} items`);
  for (const type of types) {
    if (type.length > maxTypeChars || !mediaType.test(type))
      throw problems.invalidMimeType(type.slice(0, maxTypeChars));
  }
  return types;
}

const columns = ["id", "name", "created_at", "updated_at"] as const;

/** The query of `GET /bucket`. @throws Problem `InvalidRequest` */
export function readBucketQuery(query: string): BucketQuery {
  const values = new URLSearchParams(query);
  const integerOf = (name: string, min: number): number | null => {
    const text = values.get(name);
    if (text === null || text === "") return null;
    const value = Number(text);
    if (!/^-?\d+$/.test(text) || !Number.isSafeInteger(value)) {
      throw problems.invalidRequest(`querystring/${name} must be integer`);
    }
    if (value < min) throw problems.invalidRequest(`querystring/${name} must be >= ${min}`);
    return value;
  };
  const sortColumn = values.get("sortColumn");
  const sortOrder = values.get("sortOrder");
  const search = values.get("search") ?? "";
  if (sortColumn !== null && !columns.some((column) => column === sortColumn)) {
    throw problems.invalidRequest("querystring/sortColumn must be equal to one of the allowed values");
  }
  if (sortOrder !== null && sortOrder !== "asc" && sortOrder !== "desc") {
    throw problems.invalidRequest("querystring/sortOrder must be equal to one of the allowed values");
  }
  return {
    limit: integerOf("limit", 1),
    offset: integerOf("offset", 0) ?? 0,
    sortColumn: columns.find((column) => column === sortColumn) ?? null,
    isDescending: sortOrder === "desc",
    // No bucket's name has it, and PostgreSQL takes no such text.
    search: search.replaceAll("\0", ""),
  };
}
