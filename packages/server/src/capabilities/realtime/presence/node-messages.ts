import { isUtf8 } from "node:buffer";
import type { Meta } from "./room-view.ts";

/** Of our log messages about who is where. */
export const logPrefix = "mainstay.presence";

/** The first element. A node that does not know it leaves the message alone: during an upgrade both kinds of node run. */
const version = 1;

/** One tracking channel of a node, by its number there; `meta` is `null` when it has gone. */
export interface Placed {
  readonly id: number;
  readonly room: string;
  readonly meta: Meta | null;
}

/** What nodes tell each other of the presences on them. */
export type NodeMessage =
  /** Wants to hear the state of all others. */
  | { readonly kind: "ask"; readonly nodeId: string }
  /** What has changed since the node's `version - 1`. */
  | { readonly kind: "changes"; readonly nodeId: string; readonly version: number; readonly placed: readonly Placed[] }
  /** All that is on the node at `version`, in so many `parts`. */
  | {
      readonly kind: "state";
      readonly nodeId: string;
      readonly version: number;
      /** From 0. */
      readonly part: number;
      readonly parts: number;
      readonly placed: readonly Placed[];
    };

/** More than a state of 2 GB has. */
const partsMost = 8_192;

const kinds = ["ask", "changes", "state"] as const;

/** JSON: `[1, kind, node, version, part, parts, [[id, room, key, ref, fields] | [id, room], …]]`. */
export function encodeMessage(message: NodeMessage): Buffer {
  const { kind, nodeId } = message;
  const head = [version, kinds.indexOf(kind), nodeId];
  if (kind === "ask") return Buffer.from(JSON.stringify(head));
  const [part, parts] = kind === "state" ? [message.part, message.parts] : [0, 1];
  return Buffer.from(JSON.stringify([...head, message.version, part, parts, message.placed.map(rowOf)]));
}

const rowOf = ({ id, room, meta }: Placed): readonly unknown[] =>
  meta === null ? [id, room] : [id, room, meta.key, meta.ref, meta.fields];

/** `null` for what is not ours, or of another version. Never throws: the log takes messages of anybody who may write SQL. */
export function decodeMessage(content: Buffer): NodeMessage | null {
  if (!isUtf8(content)) return null;
  let parsed: unknown;
  try {
    parsed = JSON.parse(content.toString());
  } catch {
    return null;
  }
  if (!Array.isArray(parsed) || parsed[0] !== version || typeof parsed[2] !== "string") return null;
  const kind = isCount(parsed[1]) ? kinds[parsed[1]] : undefined;
  const nodeId = parsed[2];
  if (kind === "ask") return { kind, nodeId };
  const [at, part, parts, rows] = parsed.slice(3) as readonly unknown[];
  if (kind === undefined || !isCount(at) || !isCount(part) || !isCount(parts) || part >= parts || parts > partsMost)
    return null;
  const placed = Array.isArray(rows) ? rows.map(placedOf) : [null];
  if (!placed.every((each) => each !== null)) return null;
  return kind === "state" ? { kind, nodeId, version: at, part, parts, placed } : { kind, nodeId, version: at, placed };
}

const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;

function placedOf(row: unknown): Placed | null {
  if (!Array.isArray(row)) return null;
  const [id, room, key, ref, fields] = row as readonly unknown[];
  if (!isCount(id) || typeof room !== "string") return null;
  if (row.length === 2) return { id, room, meta: null };
  if (typeof key !== "string" || typeof ref !== "string" || typeof fields !== "string") return null;
  return isObjectText(fields) ? { id, room, meta: { key, ref, fields } } : null;
}

/** It stands in what clients parse. */
function isObjectText(text: string): boolean {
  if (!text.startsWith("{")) return false;
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
