import type { Socket as TcpSocket } from "node:net";
import { WebSocket } from "ws";
import { readSettings, type Values } from "../../../kernel/settings.ts";
import type { httpSettings } from "../../../platform/http/settings.ts";
import { open as connect, openTestServer, testIdentity } from "../../../platform/http/test-server.ts";
import type { Identity } from "../../../platform/identity/types.ts";
import type { Observation } from "../../../platform/observe/observation.ts";
import { realtimeSettings } from "../settings.ts";
import type { Incoming, Socket } from "../types.ts";
import { createSocketServer, type SocketHandler, type SocketServer } from "./index.ts";

/** For tests: websockets on a real port, and clients of them. */
export interface TestSockets {
  readonly port: number;
  /** `ws://127.0.0.1:…/realtime/v1/websocket` */
  readonly url: string;
  readonly server: SocketServer;
  /** What was opened, in order, and all that was handed to it. */
  readonly opened: Recorded[];
  readonly observations: Observation[];
  stop(): Promise<void>;
}

/** A socket as its handler sees it. */
export interface Recorded {
  readonly socket: Socket;
  readonly messages: Incoming[];
  /** `null` until it is closed. */
  wasClean: boolean | null;
}

/** The defaults; but clients made by hand here do not answer a goodbye, and need not be waited for. */
export const testSettings: Values<typeof realtimeSettings> = {
  ...readSettings(realtimeSettings, { env: {} }).values,
  realtimeCloseMs: 100,
};

export async function openTestSockets(
  options: {
    readonly settings?: Partial<Values<typeof realtimeSettings>>;
    readonly http?: Partial<Values<typeof httpSettings>>;
    readonly identity?: Identity;
    /** What to do with a message besides recording it. */
    readonly message?: (recorded: Recorded, incoming: Incoming) => void | Promise<void>;
    readonly open?: (socket: Socket) => void;
  } = {},
): Promise<TestSockets> {
  const opened: Recorded[] = [];
  const observations: Observation[] = [];
  const open = (socket: Socket): SocketHandler => {
    const recorded: Recorded = { socket, messages: [], wasClean: null };
    opened.push(recorded);
    options.open?.(socket);
    return {
      message(incoming) {
        recorded.messages.push(incoming);
        return options.message?.(recorded, incoming);
      },
      closed(isClean) {
        recorded.wasClean = isClean;
      },
    };
  };
  const http = await openTestServer([], options.http === undefined ? {} : { settings: options.http });
  const server = createSocketServer(
    {
      identity: options.identity ?? testIdentity,
      settings: { ...testSettings, ...options.settings },
      observe: (observation) => void observations.push(observation),
    },
    open,
  );
  http.onUpgrade(server.upgrade.path, server.upgrade.accept);
  return {
    port: http.port,
    url: `ws://127.0.0.1:${http.port}/realtime/v1/websocket`,
    server,
    opened,
    observations,
    async stop() {
      await server.stop(AbortSignal.timeout(5_000));
      await http.stop(AbortSignal.timeout(1));
    },
  };
}

/** A client as SDKs are built on one, that keeps what it hears. */
export interface TestClient {
  readonly websocket: WebSocket;
  /** Text as parsed JSON, binary as it came. */
  readonly heard: unknown[];
  readonly closed: Promise<{ readonly code: number; readonly reason: string }>;
  say(message: unknown): void;
}

export function openClient(
  { url }: TestSockets,
  query: Readonly<Record<string, string>> = { apikey: "anon-key", vsn: "2.0.0" },
  options: ConstructorParameters<typeof WebSocket>[2] = {},
): Promise<TestClient> {
  const websocket = new WebSocket(`${url}?${new URLSearchParams(query)}`, options);
  const heard: unknown[] = [];
  websocket.on("message", (data, isBinary) => heard.push(isBinary ? data : JSON.parse(String(data))));
  const closed = new Promise<{ code: number; reason: string }>((resolve) => {
    websocket.on("close", (code, reason) => resolve({ code, reason: reason.toString() }));
  });
  return new Promise((resolve, reject) => {
    websocket.once("open", () =>
      resolve({ websocket, heard, closed, say: (message) => websocket.send(JSON.stringify(message)) }),
    );
    websocket.on("error", reject);
  });
}

/** The request of a client to open a websocket, as bytes. */
export const handshakeText = (target = "/realtime/v1/websocket?apikey=anon-key&vsn=2.0.0", headers = ""): string =>
  `GET ${target} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n${headers}\r\n`;

/** A TCP connection past the handshake, paused: nothing is read, pinged back or closed for it. */
export async function openRaw({ port }: TestSockets, target?: string): Promise<TcpSocket> {
  const tcp = await connect(port);
  tcp.on("error", () => {});
  tcp.write(handshakeText(target));
  let head = "";
  while (!head.endsWith("\r\n\r\n")) {
    const byte = tcp.read(1) as Buffer | null;
    if (byte === null) await new Promise((resolve) => tcp.once("readable", resolve));
    else head += byte.toString("latin1");
  }
  tcp.removeAllListeners("readable");
  if (!head.startsWith("HTTP/1.1 101 ")) throw new Error(head);
  return tcp;
}

/** A frame as clients send it: masked, here with a mask that changes nothing (RFC 6455 §5.3). */
export function clientFrame(opcode: number, payload: Uint8Array | string, firstBits = 0x80): Buffer {
  const data = Buffer.from(payload as Uint8Array);
  const length =
    data.length < 126
      ? Buffer.from([0x80 | data.length])
      : data.length < 65_536
        ? Buffer.from([0xfe, data.length >> 8, data.length & 255])
        : Buffer.from([
            0xff,
            0,
            0,
            0,
            0,
            data.length >>> 24,
            (data.length >> 16) & 255,
            (data.length >> 8) & 255,
            data.length & 255,
          ]);
  return Buffer.concat([Buffer.from([firstBits | opcode]), length, Buffer.alloc(4), data]);
}

/** A server's frames, as far as they are whole. */
export function framesIn(bytes: Buffer): { readonly opcode: number; readonly data: Buffer }[] {
  const frames: { opcode: number; data: Buffer }[] = [];
  for (let at = 0; at + 2 <= bytes.length; ) {
    const short = bytes[at + 1]!;
    const header = short < 126 ? 2 : short === 126 ? 4 : 10;
    if (at + header > bytes.length) break;
    const length =
      short < 126 ? short : short === 126 ? bytes.readUInt16BE(at + 2) : Number(bytes.readBigUInt64BE(at + 2));
    if (at + header + length > bytes.length) break;
    frames.push({ opcode: bytes[at]! & 15, data: bytes.subarray(at + header, at + header + length) });
    at += header + length;
  }
  return frames;
}

/** Everything a connection says until it closes. */
export function readToEnd(tcp: TcpSocket): Promise<Buffer> {
  const chunks: Buffer[] = [];
  tcp.on("data", (chunk: Buffer) => chunks.push(chunk));
  return new Promise((resolve) => tcp.once("close", () => resolve(Buffer.concat(chunks))));
}

/** The code of the close frame among them; `null` when there is none. */
export function closeCodeIn(bytes: Buffer): number | null {
  const close = framesIn(bytes).find(({ opcode }) => opcode === 8);
  return close === undefined ? null : close.data.readUInt16BE(0);
}
