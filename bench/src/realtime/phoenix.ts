/** Messages of version 2.0.0 (protocols: Phoenix channels), as far as the crowd sends and counts them. */

export interface Join {
  readonly topic: string;
  /** Filter of the one binding to a table's inserts; `null`: all of them. Left out: no row changes. */
  readonly rows?: { readonly table: string; readonly filter: string | null };
  /** A user's; left out: the connection's key speaks. */
  readonly token?: string;
}

export function joinText(ref: number, { topic, rows, token }: Join): Buffer {
  const binding = rows && {
    event: "INSERT",
    schema: "public",
    table: rows.table,
    ...(rows.filter !== null && { filter: rows.filter }),
  };
  const config = {
    broadcast: { ack: false, self: true },
    presence: { key: "", enabled: false },
    postgres_changes: binding ? [binding] : [],
    private: false,
  };
  const payload = { config, ...(token !== undefined && { access_token: token }) };
  return Buffer.from(JSON.stringify([String(ref), String(ref), `realtime:${topic}`, "phx_join", payload]));
}

/** What stands before a broadcast's number: fixed, so that it is found without reading. */
const numberDigits = 10;
const text = "x".repeat(80);
/** A chat message's worth of JSON. */
const payloadOf = (n: number): Buffer => Buffer.from(`{"n":${String(n).padStart(numberDigits)},"text":"${text}"}`);
const payloadBytes = payloadOf(0).length;

/** Kind 3, as realtime-js sends a broadcast. */
export function broadcastPush(topic: string, n: number): Buffer {
  const [name, event] = [Buffer.from(`realtime:${topic}`), Buffer.from("say")];
  return Buffer.concat([Buffer.from([3, 0, 0, name.length, event.length, 0, 1]), name, event, payloadOf(n)]);
}

/** Kind 4: what a server makes of it. */
export function broadcastDelivered(topic: string, n: number): Buffer {
  const [name, event] = [Buffer.from(`realtime:${topic}`), Buffer.from("say")];
  return Buffer.concat([Buffer.from([4, name.length, event.length, 0, 1]), name, event, payloadOf(n)]);
}

/** The number in a broadcast as delivered. */
export function numberOfBroadcast(body: Buffer): number {
  let at = body.length - payloadBytes + 5;
  let n = 0;
  for (const end = at + numberDigits; at < end; at++) {
    const digit = body[at]! - 48;
    if (digit >= 0) n = n * 10 + digit;
  }
  return n;
}

const mark = Buffer.from('"n":');

/** The `n` of a row in a `postgres_changes` message. */
export function numberOfRow(body: Buffer): number {
  let n = 0;
  for (let at = body.indexOf(mark) + mark.length; ; at++) {
    const digit = body[at]! - 48;
    if (!(digit >= 0 && digit <= 9)) return n;
    n = n * 10 + digit;
  }
}

export type Said = "row" | "joined" | "refused" | "subscribed" | "failed" | "other";

const changes = Buffer.from('"postgres_changes",{"ids"');

/** What a text message is about. Most are rows, and are not read further. */
export function saidOf(body: Buffer): Said {
  const head = body.subarray(0, 200);
  if (head.includes(changes)) return "row";
  const [, , , event, payload] = JSON.parse(body.toString()) as [
    unknown,
    unknown,
    unknown,
    string,
    { status?: string },
  ];
  const isOk = payload.status === "ok";
  if (event === "phx_reply") return isOk ? "joined" : "refused";
  if (event === "system") return isOk ? "subscribed" : "failed";
  return "other";
}
