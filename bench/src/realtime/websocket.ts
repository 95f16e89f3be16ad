import { randomBytes } from "node:crypto";
import { connect, type Socket } from "node:net";

/** A client's websocket that does next to nothing: what it takes would be missing from what is measured. */
export interface LightSocket {
  send(opcode: 1 | 2, body: Buffer): void;
  close(): void;
}

export interface LightSocketNeeds {
  readonly port: number;
  /** Path and query. */
  readonly path: string;
  /** `body` is only good during the call. */
  readonly onFrame: (opcode: number, body: Buffer) => void;
  /** The server has ended it. */
  readonly onLost: () => void;
}

/** What one read takes at most, in bytes. All sockets read into the same memory: a read is taken in before the next. */
const shared = Buffer.allocUnsafeSlow(262_144);

/** Opens a websocket (RFC 6455). Rejects when the server does not upgrade. */
export function openSocket({ port, path, onFrame, onLost }: LightSocketNeeds): Promise<LightSocket> {
  const { promise, resolve, reject } = Promise.withResolvers<LightSocket>();
  let isOpen = false;
  let isClosing = false;
  let rest: Buffer | null = null;
  const tcp = connect({
    port,
    host: "127.0.0.1",
    noDelay: true,
    onread: {
      buffer: shared,
      callback(length) {
        const read = shared.subarray(0, length);
        let data = rest === null ? read : Buffer.concat([rest, read]);
        rest = null;
        if (!isOpen) {
          const end = data.indexOf("\r\n\r\n");
          if (end < 0) {
            rest = Buffer.from(data);
            return true;
          }
          const status = data.toString("latin1", 9, 12);
          if (status !== "101") {
            reject(new Error(`The server answered ${data.toString("latin1", 9, Math.min(length, 400))}`));
            tcp.destroy();
            return false;
          }
          isOpen = true;
          resolve(socket);
          data = data.subarray(end + 4);
        }
        const taken = takeFrames(data, (opcode, body) => {
          if (opcode === 9) write(tcp, 10, body);
          else onFrame(opcode, body);
        });
        if (taken < data.length) rest = Buffer.from(data.subarray(taken));
        return true;
      },
    },
  });
  tcp.on("error", reject);
  tcp.on("close", () => {
    if (isOpen && !isClosing) onLost();
  });
  tcp.write(
    `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${randomBytes(16).toString("base64")}\r\n\r\n`,
  );
  const socket: LightSocket = {
    send: (opcode, body) => write(tcp, opcode, body),
    close() {
      isClosing = true;
      write(tcp, 8, Buffer.from([0x03, 0xe8]));
      tcp.end();
    },
  };
  return promise;
}

/** @returns how many bytes were whole frames */
function takeFrames(data: Buffer, take: (opcode: number, body: Buffer) => void): number {
  let at = 0;
  while (data.length - at >= 2) {
    let length = data[at + 1]! & 0x7f;
    let start = at + 2;
    if (length === 126) {
      if (data.length - at < 4) break;
      length = data.readUInt16BE(start);
      start += 2;
    } else if (length === 127) {
      if (data.length - at < 10) break;
      length = Number(data.readBigUInt64BE(start));
      start += 8;
    }
    if (data.length < start + length) break;
    take(data[at]! & 0x0f, data.subarray(start, start + length));
    at = start + length;
  }
  return at;
}

/** Clients must mask (RFC 6455 §5.3): with zeros, which leave the bytes as they are. */
function write(tcp: Socket, opcode: number, body: Buffer): void {
  const long = body.length < 126 ? 0 : body.length < 65_536 ? 2 : 8;
  const frame = Buffer.alloc(2 + long + 4 + body.length);
  frame[0] = 0x80 | opcode;
  frame[1] = 0x80 | (long === 0 ? body.length : long === 2 ? 126 : 127);
  if (long === 2) frame.writeUInt16BE(body.length, 2);
  else if (long === 8) frame.writeBigUInt64BE(BigInt(body.length), 2);
  body.copy(frame, 2 + long + 4);
  tcp.write(frame);
}
