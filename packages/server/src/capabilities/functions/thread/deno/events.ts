import { define } from "@mainstay/functions/definition";
import { current } from "../current.ts";

type Listener = NonNullable<Parameters<EventTarget["addEventListener"]>[1]>;
type Options = Parameters<EventTarget["addEventListener"]>[2];

/** Events of the global object that functions listen for. Others are taken and never come: a thread is not told of its end. */
export const globalEvents = new EventTarget();
let hearsRejections = false;

export function addEventListener(type: string, listener: Listener, options?: Options): void {
  if (type === "fetch") return serveEvents(listener);
  globalEvents.addEventListener(type, listener, options);
  if (type === "unhandledrejection" && !hearsRejections) hearRejections();
}

export function removeEventListener(type: string, listener: Listener, options?: Options): void {
  globalEvents.removeEventListener(type, listener, options);
}

/** `addEventListener("fetch", (event) => event.respondWith(…))`: an endpoint, as service workers have it. */
function serveEvents(listener: Listener): void {
  define({
    kind: "http",
    options: {},
    handler: (request) =>
      new Promise((answer, failed) => {
        let isAnswered = false;
        const event = Object.assign(new Event("fetch"), {
          request,
          respondWith(response: Response | Promise<Response>) {
            isAnswered = true;
            Promise.resolve(response).then(answer, failed);
          },
          waitUntil,
        });
        if (typeof listener === "function") listener(event);
        else listener.handleEvent(event);
        if (!isAnswered) failed(new Error("The listener for `fetch` has not called event.respondWith."));
      }),
  });
}

/** Rejections that a listener has prevented are nobody else's; all others are whose they were. */
function hearRejections(): void {
  hearsRejections = true;
  const others = process.listeners("unhandledRejection");
  process.removeAllListeners("unhandledRejection");
  process.on("unhandledRejection", (reason, promise) => {
    const event = Object.assign(new Event("unhandledrejection", { cancelable: true }), { reason, promise });
    if (globalEvents.dispatchEvent(event)) for (const other of others) other(reason, promise);
  });
}

/** `EdgeRuntime.waitUntil`: of the invocation that calls it. */
export function waitUntil<T>(work: Promise<T>): Promise<T> {
  current.getStore()?.invocation.waitUntil(work);
  return work;
}
