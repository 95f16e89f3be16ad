import type { UserBroadcast } from "../types.ts";

/** For tests: what clients do, written from the same page as the server's side and sharing no code with it. */

/** A frame of kind 0 as clients send it. */
export const clientPush = (joinRef: string, ref: string, topic: string, event: string, data: Uint8Array): Buffer =>
  joined([0], [joinRef, ref, topic, event], [], data);

/** A frame of kind 3. */
export const clientBroadcast = (joinRef: string, ref: string, topic: string, broadcast: UserBroadcast): Buffer =>
  joined(
    [3],
    [joinRef, ref, topic, broadcast.event, broadcast.metadata],
    [broadcast.encoding === "json" ? 1 : 0],
    broadcast.payload,
  );

function joined(kind: number[], names: string[], encoding: number[], data: Uint8Array): Buffer {
  const bytes = names.map((name) => Buffer.from(name));
  return Buffer.concat([Buffer.from([...kind, ...bytes.map(({ length }) => length), ...encoding]), ...bytes, data]);
}

/** What a websocket frame of a server carries. Refuses what a client would have to refuse. */
export function openFrame(frame: Buffer): { readonly isBinary: boolean; readonly data: Buffer } {
  const opcode = frame[0]! & 0x0f;
  if ((frame[0]! & 0xf0) !== 0x80 || (opcode !== 1 && opcode !== 2)) throw new Error(`no data frame: ${frame[0]}`);
  const short = frame[1]!;
  if (short > 127) throw new Error("servers do not mask");
  const [offset, length] =
    short < 126 ? [2, short] : short === 126 ? [4, frame.readUInt16BE(2)] : [10, Number(frame.readBigUInt64BE(2))];
  if (frame.length !== offset + length) throw new Error(`${frame.length} bytes for a payload of ${length}`);
  return { isBinary: opcode === 2, data: frame.subarray(offset) };
}

export type ServerBinary = { readonly kind: number; readonly names: string[]; readonly data: Buffer };

/** Takes a server's binary message apart: kind, names, payload; for kind 4 the encoding is the last name. */
export function openBinary(bytes: Buffer): ServerBinary {
  const kind = bytes[0]!;
  const count = [3, 4, 2, Number.NaN, 3][kind]!;
  let offset = 1 + count + (kind === 4 ? 1 : 0);
  const names: string[] = [];
  for (let i = 1; i <= count; i++) {
    names.push(bytes.toString("utf8", offset, offset + bytes[i]!));
    offset += bytes[i]!;
  }
  if (kind === 4) names.push(String(bytes[4]));
  return { kind, names, data: bytes.subarray(offset) };
}
