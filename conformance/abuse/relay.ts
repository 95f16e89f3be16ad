import { connect, createServer, type Socket } from "node:net";
import { FrontendReader } from "./frontend-reader.ts";

/**
 * A TCP relay between the server and PostgreSQL that writes down every statement the API's connections prepare or run. It sees what is
 * really sent, whatever the server believes it sends: the witness for threat B01.
 */
export interface Relay {
  /** The cluster's URL, by way of the relay. */
  readonly url: string;
  /** Texts of `Parse` and `Query` messages on connections of `user`, each with how often it was sent. */
  readonly statements: ReadonlyMap<string, number>;
  /** Bind, Parse, Query and Execute messages so far: stands still while no connection is used. */
  readonly messages: number;
  /** Connections of `user` so far. */
  readonly connections: number;
  stop(): Promise<void>;
}

/** @param user whose connections are watched: the role the API logs in as */
export async function openRelay(clusterUrl: string, user = "authenticator"): Promise<Relay> {
  const target = new URL(clusterUrl);
  const statements = new Map<string, number>();
  const sockets = new Set<Socket>();
  let messages = 0;
  let connections = 0;

  const server = createServer((near) => {
    const far = connect({ host: target.hostname, port: Number(target.port || 5432) });
    const reader = new FrontendReader({
      onStart: (parameters) => {
        if (parameters.get("user") === user) connections++;
      },
      onMessage: (kind, text) => {
        if (reader.parameters?.get("user") !== user) return;
        if (kind === "parse" || kind === "query") statements.set(text, (statements.get(text) ?? 0) + 1);
        messages++;
      },
    });
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(from);
      from.setNoDelay(true);
      from.on("error", () => to.destroy());
      from.on("close", () => {
        sockets.delete(from);
        to.destroy();
      });
    }
    near.on("data", (chunk) => reader.read(chunk));
    near.pipe(far);
    far.pipe(near);
  });
  await new Promise<void>((resolve, reject) => server.once("error", reject).listen(0, "127.0.0.1", resolve));
  const url = new URL(clusterUrl);
  url.hostname = "127.0.0.1";
  url.port = String((server.address() as { port: number }).port);
  // What is encrypted could not be read.
  url.searchParams.set("sslmode", "disable");
  return {
    url: url.href,
    statements,
    get messages() {
      return messages;
    },
    get connections() {
      return connections;
    },
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  };
}
