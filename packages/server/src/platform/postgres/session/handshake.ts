import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { type ConnectionOptions, connect as connectTls } from "node:tls";
import { MessageReader, readError, readInt32, readText } from "./reader.ts";
import { ScramClient } from "./scram.ts";
import type { ConnectionTarget } from "./target.ts";
import { passwordMessage, sslRequest, startupMessage } from "./wire.ts";

/** A connection that PostgreSQL has let in and that is ready for its first query. */
export interface Greeted {
  readonly socket: Socket;
  /** With `secretKey`, what a CancelRequest needs. */
  readonly processId: number;
  readonly secretKey: Buffer;
  readonly parameters: ReadonlyMap<string, string>;
}

/**
 * Connects, negotiates TLS and authenticates (SCRAM-SHA-256, MD5, password, trust).
 * Rejects with a DatabaseError when PostgreSQL refuses, with the socket's error when it cannot be reached, and after `timeoutMs`.
 */
export async function greet(
  target: ConnectionTarget,
  parameters: Readonly<Record<string, string>>,
  timeoutMs: number,
): Promise<Greeted> {
  const socket = await openSocket(target, timeoutMs);
  return new Promise((resolve, reject) => {
    const settings = new Map<string, string>();
    let processId = 0;
    let secretKey: Buffer = Buffer.alloc(0);
    let scram: ScramClient | null = null;
    let isOver = false;

    const leave = (): void => {
      isOver = true;
      clearTimeout(timer);
      socket.off("data", onData).off("error", fail).off("close", onClose);
    };
    const fail = (error: unknown): void => {
      if (isOver) return;
      leave();
      socket.on("error", () => {});
      socket.destroy();
      reject(error);
    };
    const answer = (text: string): void => void socket.write(passwordMessage(Buffer.from(text, "utf8")));

    // Throws where the conversation must end. Verifying the server has to happen before its ReadyForQuery is looked at,
    // and both may come in one chunk: so nothing here is asynchronous but the key derivation, which the server waits for.
    const authenticate = (buffer: Buffer, start: number, end: number): void => {
      const kind = readInt32(buffer, start);
      const password = target.password ?? "";
      switch (kind) {
        case 0: // Ok
          if (scram?.isPending) throw new Error("PostgreSQL let us in without proving that it knows the password.");
          return;
        case 3: // CleartextPassword
          if (!isPrivate(target, socket)) {
            throw new Error("PostgreSQL asks for the password in the clear over an unencrypted connection: refused.");
          }
          return answer(`${password}\0`);
        case 5: {
          const inner = Buffer.from(md5(Buffer.from(password + target.user, "utf8")), "latin1");
          return answer(`md5${md5(Buffer.concat([inner, buffer.subarray(start + 4, start + 8)]))}\0`);
        }
        case 10: {
          const mechanisms = buffer
            .toString("utf8", start + 4, end)
            .split("\0")
            .filter(Boolean);
          if (!mechanisms.includes("SCRAM-SHA-256")) {
            throw new Error(`PostgreSQL offers no authentication we speak: ${mechanisms.join(", ")}.`);
          }
          scram = new ScramClient(password);
          socket.write(passwordMessage(saslInitialResponse(scram.first())));
          return;
        }
        case 11:
          scram!.final(buffer.toString("utf8", start + 4, end)).then(answer, fail);
          return;
        case 12:
          return scram!.verify(buffer.toString("utf8", start + 4, end));
        default:
          throw new Error(`PostgreSQL asks for an authentication we do not speak (${kind}).`);
      }
    };

    const reader = new MessageReader((type, buffer, start, end) => {
      if (isOver) return;
      switch (type) {
        case 0x52: // R: authentication
          return authenticate(buffer, start, end);
        case 0x45: // E
          throw readError(buffer, start, end);
        case 0x53: {
          const name = readText(buffer, start);
          settings.set(name, readText(buffer, start + Buffer.byteLength(name) + 1));
          return;
        }
        case 0x4b: // K: key for cancelling
          processId = readInt32(buffer, start);
          secretKey = Buffer.from(buffer.subarray(start + 4, end));
          return;
        case 0x5a: // Z: ready
          leave();
          resolve({ socket, processId, secretKey, parameters: settings });
      }
    });
    const onData = (chunk: Buffer): void => {
      try {
        reader.push(chunk);
      } catch (error) {
        fail(error);
      }
    };
    const onClose = (): void => fail(new Error("PostgreSQL closed the connection during the handshake."));
    const timer = setTimeout(
      () => fail(new Error(`PostgreSQL did not finish the handshake within ${timeoutMs} ms.`)),
      timeoutMs,
    );
    socket.on("data", onData).on("error", fail).on("close", onClose);
    socket.resume();
    socket.write(startupMessage({ user: target.user, database: target.database, ...parameters }));
  });
}

/** SASLInitialResponse: the mechanism, the length of what follows, and the client's first message. */
function saslInitialResponse(first: string): Buffer {
  const body = Buffer.from(first, "utf8");
  const head = Buffer.from("SCRAM-SHA-256\0\0\0\0\0", "latin1");
  head.writeInt32BE(body.length, head.length - 4);
  return Buffer.concat([head, body]);
}

function isPrivate(target: ConnectionTarget, socket: Socket): boolean {
  return target.host.startsWith("/") || "encrypted" in socket || /^(localhost|127\.|::1$)/.test(target.host);
}

/** Opens the socket a CancelRequest or a session goes over, with TLS as the target wants it. */
export async function openSocket(target: ConnectionTarget, timeoutMs: number): Promise<Socket> {
  const socket = await connected(
    () =>
      target.host.startsWith("/")
        ? connect({ path: `${target.host}/.s.PGSQL.${target.port}` })
        : connect({
            host: target.host,
            port: target.port,
            noDelay: true,
            keepAlive: true,
            keepAliveInitialDelay: 10_000,
          }),
    "connect",
    timeoutMs,
  );
  if (target.host.startsWith("/") || target.tls.mode === "disable") return socket;
  const reply = await askForTls(socket);
  // One byte and no more: anything behind it was put there by someone in between (CVE-2021-23222).
  if (reply.length !== 1) {
    socket.destroy();
    throw new Error("PostgreSQL sent data before TLS was established.");
  }
  if (reply[0] === 0x53) return connected(() => connectTls(tlsOptions(target, socket)), "secureConnect", timeoutMs);
  if (target.tls.mode === "prefer") return socket;
  socket.destroy();
  throw new Error(`PostgreSQL at ${target.host}:${target.port} does not offer TLS, and sslmode is ${target.tls.mode}.`);
}

function tlsOptions(target: ConnectionTarget, socket: Socket): ConnectionOptions {
  const { mode, rootCertificatePath } = target.tls;
  const verifies = mode === "verify-ca" || mode === "verify-full";
  return {
    socket,
    servername: /^[\d.]+$|:/.test(target.host) ? "" : target.host,
    host: target.host,
    rejectUnauthorized: verifies,
    ...(rootCertificatePath ? { ca: readFileSync(rootCertificatePath) } : {}),
    ...(mode === "verify-ca" ? { checkServerIdentity: () => undefined } : {}),
  };
}

function askForTls(socket: Socket): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const leave = (): unknown => socket.off("data", onData).off("error", onError).off("close", onClose);
    const onData = (data: Buffer): void => {
      leave();
      socket.pause();
      resolve(data);
    };
    const onError = (error: Error): void => {
      leave();
      reject(error);
    };
    const onClose = (): void => onError(new Error("PostgreSQL closed the connection when asked for TLS."));
    socket.on("data", onData).on("error", onError).on("close", onClose);
    socket.write(sslRequest);
  });
}

function connected<S extends Socket>(open: () => S, event: string, timeoutMs: number): Promise<S> {
  return new Promise((resolve, reject) => {
    const socket = open();
    const timer = setTimeout(
      () => fail(new Error(`PostgreSQL could not be reached within ${timeoutMs} ms.`)),
      timeoutMs,
    );
    const fail = (error: Error): void => {
      clearTimeout(timer);
      socket.destroy();
      reject(error);
    };
    socket.once("error", fail);
    socket.once(event, () => {
      clearTimeout(timer);
      socket.off("error", fail);
      resolve(socket);
    });
  });
}

const md5 = (data: Buffer): string => createHash("md5").update(data).digest("hex");
