import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** What somebody has told. */
export interface Note {
  readonly page: string;
  readonly n: number;
  /** Which node's functions told it; `null` of what comes from elsewhere. */
  readonly node: string | null;
  /** `webhook-id`, of what has one. */
  readonly id: string | null;
}

/** What was done, kept outside of everything that is killed: `POST /<page>/<n>`, or a message of a webhook with the row's `n`. */
export class Book {
  readonly notes: Note[] = [];
  readonly #server = createServer();
  readonly #held: ServerResponse[] = [];
  /** Pages that are not answered until they are let go. */
  readonly holds = new Set<string>();
  /** Whether a note is refused (503), and not kept. */
  refuses: (page: string) => boolean = () => false;

  static async open(): Promise<Book> {
    const book = new Book();
    await new Promise<void>((listening) => book.#server.listen(0, "127.0.0.1", listening));
    return book;
  }

  private constructor() {
    this.#server.on("request", async (request, response) => {
      const chunks: Buffer[] = [];
      try {
        for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
      } catch {
        return; // Whoever told it was killed before the end.
      }
      const url = new URL(request.url!, this.url);
      const [page = "", n] = url.pathname.split("/").slice(1);
      if (this.refuses(page)) return void response.writeHead(503).end();
      const id = request.headers["webhook-id"];
      this.notes.push({
        page,
        n: n === undefined ? (JSON.parse(Buffer.concat(chunks).toString()) as { record: Note }).record.n : Number(n),
        node: url.searchParams.get("node"),
        id: typeof id === "string" ? id : null,
      });
      if (this.holds.has(page)) this.#held.push(response);
      else response.writeHead(204).end();
    });
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** What one page has, in the order in which it came. */
  page(name: string): readonly Note[] {
    return this.notes.filter(({ page }) => page === name);
  }

  letGo(page: string): void {
    this.holds.delete(page);
    for (const response of this.#held.splice(0)) response.writeHead(204).end();
  }

  async close(): Promise<void> {
    await new Promise<void>((closed) => {
      this.#server.close(() => closed());
      this.#server.closeAllConnections();
    });
  }
}
