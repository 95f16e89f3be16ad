import type { Shot } from "../load.ts";
import type { Join } from "./phoenix.ts";

/** What the crowd is told to do: one thing at a time, each answered. */
export type Order =
  /** Opens websockets and keeps them; paths (and queries) are taken in turn. */
  | { readonly kind: "connect"; readonly port: number; readonly paths: readonly string[]; readonly count: number }
  /** `joins[i]` by socket `i % sockets`. Done when each is answered, and on where it waits for rows. */
  | { readonly kind: "join"; readonly joins: readonly Join[] }
  | Rounds
  /** Answers when so many rows have come since the last order of this kind. */
  | { readonly kind: "await-rows"; readonly count: number }
  | { readonly kind: "close" };

/** Messages that begin here and are over when all who should have them do. */
export interface Rounds {
  readonly kind: "rounds";
  readonly seconds: number;
  /** How each begins. Rooms and shots are taken in turn. */
  readonly by:
    | {
        readonly how: "broadcast";
        /** `sender`: number of its socket. */
        readonly rooms: readonly { readonly topic: string; readonly sender: number; readonly receivers: number }[];
        /** Sent as it is to be delivered: to a server that only passes on. */
        readonly isAsDelivered: boolean;
      }
    | { readonly how: "insert"; readonly url: string; readonly shot: Shot; readonly receivers: number };
  /** So many under way at a time (of each room), as fast as they are over; or so many begun a second, whatever becomes of them. */
  readonly pace: { readonly inFlight: number } | { readonly perSecond: number };
}

export interface RoundsResult {
  readonly messages: number;
  readonly deliveries: number;
  readonly seconds: number;
  /** From when it was begun, or due, until the last had it; in ms, sorted. */
  readonly lastMs: readonly number[];
  /** Not everywhere after ten seconds, or refused. */
  readonly failures: number;
}

export type Answer =
  | { readonly ms: number /** `performance.timeOrigin + now()` */; readonly atMs: number }
  | { readonly rounds: RoundsResult }
  | { readonly failed: string };
