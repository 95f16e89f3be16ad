import type { ObjectMetadata, StoredObject } from "../types.ts";

/** A row of `storage.objects` as this room's SQL reads it. */
export interface ObjectRow {
  readonly id: string;
  readonly bucketId: string;
  readonly name: string;
  readonly version: string | null;
  readonly ownerId: string | null;
  /** `null` for a row that came without, as seeds may write them. */
  readonly metadata: Readonly<Partial<Record<keyof ObjectMetadata, unknown>>> | null;
  readonly userMetadata: Readonly<Record<string, unknown>> | null;
  /** ISO 8601 in UTC. */
  readonly createdAt: string;
  readonly updatedAt: string;
}

/** What is known of bytes, as `storage.objects.metadata` says it. */
export function metadataOf(bytes: {
  readonly sizeBytes: number;
  readonly etag: string;
  readonly contentType: string;
  readonly contentEncoding?: string | null | undefined;
  readonly cacheControl: string;
  /** Unix milliseconds. */
  readonly lastModifiedMs: number;
}): ObjectMetadata {
  return {
    eTag: bytes.etag,
    size: bytes.sizeBytes,
    mimetype: bytes.contentType,
    ...(bytes.contentEncoding ? { contentEncoding: bytes.contentEncoding } : {}),
    cacheControl: bytes.cacheControl,
    lastModified: new Date(bytes.lastModifiedMs).toISOString(),
    contentLength: bytes.sizeBytes,
    httpStatusCode: 200,
  };
}

/** The row, parsed. Apps' SQL writes metadata too: what is missing or odd is as if nothing had been said. */
export function storedObject(row: ObjectRow): StoredObject {
  const { metadata, updatedAt, ...facts } = row;
  const { id, bucketId, name, version, ownerId, createdAt, userMetadata } = facts;
  const sizeBytes = Number(metadata?.size ?? metadata?.contentLength ?? 0);
  return {
    id,
    bucketId,
    name,
    version,
    ownerId,
    sizeBytes: Number.isSafeInteger(sizeBytes) && sizeBytes >= 0 ? sizeBytes : 0,
    contentType: textOf(metadata?.mimetype) ?? "application/octet-stream",
    contentEncoding: textOf(metadata?.contentEncoding),
    cacheControl: textOf(metadata?.cacheControl) ?? "no-cache",
    etag: etagOf(textOf(metadata?.eTag) ?? version ?? id),
    lastModifiedMs: timeOf(metadata?.lastModified) ?? timeOf(updatedAt) ?? timeOf(createdAt) ?? 0,
    createdAt,
    userMetadata,
  };
}

function textOf(value: unknown): string | null {
  return typeof value === "string" && value !== "" ? value : null;
}

function timeOf(value: unknown): number | null {
  const timeMs = typeof value === "string" ? Date.parse(value) : Number.NaN;
  return Number.isNaN(timeMs) ? null : timeMs;
}

/** With its quotes, whoever wrote it. */
const etagOf = (text: string): string => (/^(?:W\/)?".*"$/.test(text) ? text : `"${text.replaceAll('"', "")}"`);
