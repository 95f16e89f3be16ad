import { serve as serveHere } from "./serve.ts";

type Handler = Parameters<typeof serveHere>[1];

/** `serve` of std/http/server.ts. It never waits for an end: a module that waits for it is loaded all the same. */
export async function serve(handler: NonNullable<Handler>, options: object = {}): Promise<void> {
  serveHere(options, handler);
}
