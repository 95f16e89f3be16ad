import type { Server } from "node:net";
import { problems } from "./problems.ts";

/** Where a server listens in fact. */
export interface Listening {
  readonly port: number;
  readonly url: string;
}

/**
 * Listens. @throws Problem `http/port-busy`, `http/port-forbidden` or `http/host-unknown`, saying what to do.
 */
export function listen(server: Server, host: string, port: number): Promise<Listening> {
  return new Promise((resolve, reject) => {
    const onError = (error: NodeJS.ErrnoException) => {
      server.off("listening", onListening);
      reject(problemOf(error, host, port));
    };
    const onListening = () => {
      server.off("error", onError);
      const address = server.address();
      if (address === null || typeof address === "string") return reject(problems.hostUnknown(host, undefined));
      resolve({ port: address.port, url: `http://${nameOf(host)}:${address.port}` });
    };
    server.once("error", onError).once("listening", onListening);
    server.listen({ host, port, backlog: 1024 });
  });
}

/** A name that works on this machine: nobody can connect to "every interface". */
function nameOf(host: string): string {
  if (host === "0.0.0.0" || host === "::") return "localhost";
  return host.includes(":") ? `[${host}]` : host;
}

function problemOf(error: NodeJS.ErrnoException, host: string, port: number): Error {
  switch (error.code) {
    case "EADDRINUSE":
      return problems.portBusy(host, port, error);
    case "EACCES":
      return problems.portForbidden(host, port, error);
    case "EADDRNOTAVAIL":
    case "ENOTFOUND":
    case "EAI_AGAIN":
      return problems.hostUnknown(host, error);
    default:
      return error;
  }
}
