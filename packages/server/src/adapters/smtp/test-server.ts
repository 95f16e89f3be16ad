import { once } from "node:events";
import { readFileSync } from "node:fs";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { createSecureContext, TLSSocket } from "node:tls";

export interface ReceivedMail {
  readonly from: string;
  readonly to: readonly string[];
  /** Headers and body as sent. */
  readonly data: string;
  readonly isEncrypted: boolean;
  readonly login: string | null;
}

/** A reply in place of the usual one; `"hang"` says nothing, `"drop"` cuts the connection. */
export type Fault = string | "hang" | "drop";

export interface TestSmtpServer {
  readonly port: number;
  readonly mails: ReceivedMail[];
  /** Every command line, as it came. */
  readonly lines: string[];
  /** Faults by verb (`RCPT`, `MAIL`, `DATA`, `.` for the end of data, `EHLO`, `AUTH`, `CONNECT`), taken one by one. */
  readonly faults: Partial<Record<string, Fault[]>>;
  close(): Promise<void>;
}

const certificates = new URL("../../platform/postgres/session/testing-tls/", import.meta.url);

/** A small mail server that keeps what it takes: RFC 5321, STARTTLS (RFC 3207), AUTH PLAIN (RFC 4954). */
export async function openTestSmtpServer(
  options: { readonly hasTls?: boolean; readonly login?: { user: string; password: string } } = {},
): Promise<TestSmtpServer> {
  const mails: ReceivedMail[] = [];
  const lines: string[] = [];
  const faults: TestSmtpServer["faults"] = {};
  const sockets = new Set<Socket>();
  const context = createSecureContext({
    key: readFileSync(new URL("server.key", certificates)),
    cert: readFileSync(new URL("server.pem", certificates)),
  });

  const server = createServer((plain) => {
    sockets.add(plain);
    plain.on("close", () => sockets.delete(plain));
    plain.on("error", () => {});
    let socket: Socket = plain;
    let isEncrypted = false;
    let login: string | null = null;
    let from = "";
    let to: string[] = [];
    let pending = "";
    let isData = false;
    const say = (text: string) => void socket.write(`${text}\r\n`);
    /** The usual answer, unless a fault is waiting. */
    const answer = (verb: string, text: string): boolean => {
      const fault = faults[verb]?.shift();
      if (fault === undefined) say(text);
      else if (fault === "drop") plain.destroy();
      else if (fault !== "hang") say(fault);
      return fault === undefined;
    };
    const listen = () => {
      socket.on("error", () => {});
      socket.on("data", (chunk) => {
        pending += chunk.toString("latin1");
        for (;;) {
          const end = pending.indexOf(isData ? "\r\n.\r\n" : "\r\n");
          if (end < 0) return;
          const text = pending.slice(0, end);
          pending = pending.slice(end + (isData ? 5 : 2));
          if (isData) finish(text);
          else command(text);
        }
      });
    };
    const finish = (data: string) => {
      isData = false;
      if (answer(".", "250 2.0.0 taken")) {
        mails.push({ from, to, data: Buffer.from(data, "latin1").toString("utf8"), isEncrypted, login });
      }
      to = [];
    };
    const command = (line: string) => {
      lines.push(line);
      const verb = line.split(/[ :]/, 1)[0]!.toUpperCase();
      switch (verb) {
        case "EHLO": {
          const features = ["test.example", ...(options.hasTls && !isEncrypted ? ["STARTTLS"] : [])];
          if (options.login) features.push("AUTH PLAIN");
          features.push("8BITMIME", "SMTPUTF8");
          answer(
            "EHLO",
            features.map((name, at) => `250${at === features.length - 1 ? " " : "-"}${name}`).join("\r\n"),
          );
          return;
        }
        case "STARTTLS":
          if (!options.hasTls) return say("502 not here");
          if (!answer("STARTTLS", "220 go ahead")) return;
          plain.removeAllListeners("data");
          socket = new TLSSocket(plain, { isServer: true, secureContext: context });
          isEncrypted = true;
          pending = "";
          listen();
          return;
        case "AUTH": {
          const [, user, password] = Buffer.from(line.split(" ")[2] ?? "", "base64")
            .toString()
            .split("\0");
          const isRight = user === options.login?.user && password === options.login?.password;
          if (answer("AUTH", isRight ? "235 welcome" : "535 5.7.8 wrong login") && isRight) login = user ?? null;
          return;
        }
        case "MAIL":
          from = /<(.*?)>/.exec(line)?.[1] ?? "";
          answer("MAIL", "250 ok");
          return;
        case "RCPT":
          if (answer("RCPT", "250 ok")) to = [...to, /<(.*?)>/.exec(line)?.[1] ?? ""];
          return;
        case "DATA":
          isData = answer("DATA", "354 go on");
          return;
        case "RSET":
          to = [];
          say("250 ok");
          return;
        case "QUIT":
          say("221 bye");
          socket.end();
          return;
        default:
          say("502 what?");
      }
    };
    listen();
    answer("CONNECT", "220 test.example ESMTP");
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    mails,
    lines,
    faults,
    async close() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, "close");
    },
  };
}
