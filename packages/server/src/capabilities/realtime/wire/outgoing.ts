import type { Outgoing, UserBroadcast, WireVersion } from "../types.ts";
import { userBroadcastParts } from "./binary.ts";
import { opcodes, websocketFrame } from "./websocket-frame.ts";

/** A frame per version, each made when the first socket asks for it. */
class Message implements Outgoing {
  readonly #encode: (version: WireVersion) => Buffer | null;
  #first: Buffer | null | undefined;
  #second: Buffer | null | undefined;

  constructor(encode: (version: WireVersion) => Buffer | null) {
    this.#encode = encode;
  }

  frame(version: WireVersion): Buffer | null {
    if (version === "2.0.0") {
      this.#second ??= this.#encode(version);
      return this.#second;
    }
    if (this.#first === undefined) this.#first = this.#encode(version);
    return this.#first;
  }
}

/** `payload` is JSON text, and trusted to be. */
export function jsonMessage(message: {
  /** As on the wire: `realtime:room`. */
  readonly topic: string;
  readonly event: string;
  readonly payload: string;
  /** The channel's, so that the client can tell it from an older join of the same topic; left out: for whoever is there. */
  readonly joinRef?: string | null;
  /** Only in a reply. */
  readonly ref?: string | null;
}): Outgoing {
  const { payload } = message;
  return new Message((version) => {
    const topic = JSON.stringify(message.topic);
    const event = JSON.stringify(message.event);
    const joinRef = JSON.stringify(message.joinRef ?? null);
    const ref = JSON.stringify(message.ref ?? null);
    const text =
      version === "2.0.0"
        ? `[${joinRef},${ref},${topic},${event},${payload}]`
        : `{"topic":${topic},"event":${event},"payload":${payload},"ref":${ref},"join_ref":${joinRef}}`;
    return websocketFrame(opcodes.text, text);
  });
}

/** The answer to the message that had this `ref`. */
export function replyMessage(reply: {
  readonly topic: string;
  readonly joinRef: string | null;
  readonly ref: string | null;
  readonly status: "ok" | "error";
  /** An object: clients read keys of it. */
  readonly response: unknown;
}): Outgoing {
  const { topic, joinRef, ref, status, response } = reply;
  const payload = JSON.stringify({ status, response: response ?? {} });
  return jsonMessage({ topic, joinRef, ref, event: "phx_reply", payload });
}

const topicPrefix = "realtime:";

/** What a channel is told about itself (protocols: system messages). */
export function systemMessage(system: {
  readonly topic: string;
  readonly joinRef: string | null;
  readonly extension: string;
  readonly status: "ok" | "error";
  readonly message: string;
}): Outgoing {
  const { topic, joinRef, extension, status, message } = system;
  const channel = topic.startsWith(topicPrefix) ? topic.slice(topicPrefix.length) : topic;
  return jsonMessage({
    topic,
    joinRef,
    event: "system",
    payload: JSON.stringify({ extension, status, message, channel }),
  });
}

/** The channel has ended (`phx_close`), or has failed and should be joined again (`phx_error`). */
export const channelEnd = (topic: string, joinRef: string | null, event: "phx_close" | "phx_error"): Outgoing =>
  jsonMessage({ topic, joinRef, event, payload: "{}" });

/**
 * A broadcast as it came: kind 4 for 2.0.0, text for 1.0.0, which cannot carry bytes. A payload called JSON must be: it stands in the text
 * as it is.
 * @param topic as on the wire: `realtime:room`
 * @throws WireError at once when topic, event or metadata take more than 255 bytes: kind 4 has no room for them
 */
export function broadcastMessage(topic: string, broadcast: UserBroadcast): Outgoing {
  const parts = userBroadcastParts(topic, broadcast);
  return new Message((version) => {
    if (version === "2.0.0") return websocketFrame(opcodes.binary, parts);
    if (broadcast.encoding === "bytes") return null;
    const meta = broadcast.metadata === "" ? "" : `,"meta":${broadcast.metadata}`;
    const text = `{"topic":${JSON.stringify(topic)},"event":"broadcast","payload":{"type":"broadcast","event":${JSON.stringify(broadcast.event)},"payload":${broadcast.payload.toString()}${meta}},"ref":null,"join_ref":null}`;
    return websocketFrame(opcodes.text, text);
  });
}
