import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

/** What somebody else's server was asked. */
export interface Asked {
  /** The host's first name and the path: `mail/send`. */
  readonly at: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: string;
}

export interface Others {
  readonly asked: readonly Asked[];
  /** `127.0.0.1:<port>`. */
  readonly host: string;
  /** Makes of `https://mail.example.com/send` the same here. */
  here(text: string): string;
  /** What a path answers from now on. */
  answer(at: string, status: number, body: unknown): void;
  stop(): Promise<void>;
}

/** All servers of others in the guides, as one. Answers `{}` to what nobody has said anything about. */
export async function startOthers(): Promise<Others> {
  const asked: Asked[] = [];
  const answers = new Map<string, { readonly status: number; readonly body: unknown }>();
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const at = (request.url ?? "").slice(1);
    asked.push({ at, headers: request.headers, body: Buffer.concat(chunks).toString("utf8") });
    const { status, body } = answers.get(at) ?? { status: 200, body: {} };
    response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    asked,
    host,
    here: (text) => text.replace(/https:\/\/(\w+)\.example\.com/g, `http://${host}/$1`),
    answer: (at, status, body) => void answers.set(at, { status, body }),
    async stop() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
