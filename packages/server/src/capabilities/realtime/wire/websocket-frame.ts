/** Opcodes (RFC 6455 §5.2). The payload of a ping has 125 bytes at most. */
export const opcodes = { text: 1, binary: 2, ping: 9 } as const;

const fin = 0x80;

/** A whole frame as servers send it: one fragment, not masked, no extension (RFC 6455 §5.2). */
export function websocketFrame(opcode: 1 | 2 | 9, payload: string | readonly Uint8Array[]): Buffer {
  if (typeof payload === "string") {
    const frame = emptyFrame(opcode, Buffer.byteLength(payload));
    frame.bytes.write(payload, frame.offset);
    return frame.bytes;
  }
  const frame = emptyFrame(
    opcode,
    payload.reduce((sum, part) => sum + part.length, 0),
  );
  let { offset } = frame;
  for (const part of payload) {
    frame.bytes.set(part, offset);
    offset += part.length;
  }
  return frame.bytes;
}

/** @returns a frame to be filled from `offset` to its end */
function emptyFrame(opcode: number, length: number): { readonly bytes: Buffer; readonly offset: number } {
  const offset = length < 126 ? 2 : length < 65_536 ? 4 : 10;
  const bytes = Buffer.allocUnsafe(offset + length);
  bytes[0] = fin | opcode;
  if (offset === 2) bytes[1] = length;
  else if (offset === 4) {
    bytes[1] = 126;
    bytes.writeUInt16BE(length, 2);
  } else {
    bytes[1] = 127;
    bytes.writeUInt32BE(Math.floor(length / 0x1_0000_0000), 2);
    bytes.writeUInt32BE(length >>> 0, 6);
  }
  return { bytes, offset };
}
