import type { Change, ChangedRelation, RowImage } from "../../../kernel/change.ts";
import { roomOf } from "../rooms.ts";
import type { Published } from "./published.ts";

/** A broadcast that the database has stored. */
export interface StoredBroadcast {
  readonly id: string;
  readonly published: Published;
  /** When it ends, in Unix milliseconds; `null`: with the day it is kept in. */
  readonly expiresAtMs: number | null;
}

/** Where the columns of `realtime.messages` are in a row. */
interface Places {
  readonly id: number;
  readonly topic: number;
  readonly extension: number;
  readonly event: number;
  readonly isPrivate: number;
  readonly payload: number;
  readonly binaryPayload: number;
  readonly expiresAt: number;
}

/** The table and its partitions by day: `messages_2026_11_21`. */
const messagesName = /^messages(_\d{4}_\d{2}_\d{2}|_default)?$/;

const known = new WeakMap<ChangedRelation, Places | null>();

/** `null` for any other table. */
function placesIn(relation: ChangedRelation): Places | null {
  let places = known.get(relation);
  if (places === undefined) {
    const at = (column: string): number => relation.indexOf(column);
    places =
      relation.schema === "realtime" && messagesName.test(relation.name)
        ? {
            id: at("id"),
            topic: at("topic"),
            extension: at("extension"),
            event: at("event"),
            isPrivate: at("private"),
            payload: at("payload"),
            binaryPayload: at("binary_payload"),
            expiresAt: at("expires_at"),
          }
        : null;
    known.set(relation, places);
  }
  return places;
}

/**
 * The broadcast that a change of the log makes: an insert into `realtime.messages`. `null` for all else, for rows of presence, and for
 * rows without topic, event or payload.
 */
export function storedBroadcastOf(change: Change, limitBytes: number): StoredBroadcast | null {
  if (change.op !== "insert") return null;
  const places = placesIn(change.relation);
  return places === null ? null : readRow(change.new, places, limitBytes);
}

function readRow(row: RowImage, places: Places, limitBytes: number): StoredBroadcast | null {
  const id = row[places.id];
  const topic = row[places.topic];
  const event = row[places.event];
  if (row[places.extension] !== "broadcast" || id == null || topic == null || event == null) return null;
  const content = contentOf(row[places.payload], row[places.binaryPayload]);
  if (content === null || content.payload.length > limitBytes) return null;
  // Whoever left it open gets the room that asks who may read.
  const room = roomOf(topic, row[places.isPrivate] !== "f");
  const expiresAtMs = timeOf(row[places.expiresAt]);
  return { id, expiresAtMs, published: { form: "bytes", room, event, metadata: JSON.stringify({ id }), ...content } };
}

/** Of a `timestamp` in UTC, in ISO style; `null` for none, and for what is no time (`infinity`). */
function timeOf(text: string | null | undefined): number | null {
  const timeMs = text == null ? Number.NaN : Date.parse(`${text.replace(" ", "T")}Z`);
  return Number.isNaN(timeMs) ? null : timeMs;
}

interface Content {
  readonly encoding: "json" | "bytes";
  readonly payload: Buffer;
}

/** Bytes win where a row has both, as they do for Supabase. Both in PostgreSQL's text format. */
export function contentOf(payload: string | null | undefined, bytes: string | null | undefined): Content | null {
  if (bytes != null) return { encoding: "bytes", payload: Buffer.from(bytes.slice(2), "hex") };
  return payload == null ? null : { encoding: "json", payload: Buffer.from(payload) };
}
