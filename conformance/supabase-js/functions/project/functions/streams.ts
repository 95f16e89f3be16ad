import { serve } from "@mainstay/functions";

/** Sends one piece and no more, and says when nobody reads any more. */
export default serve((request, { log }) => {
  const id = new URL(request.url).searchParams.get("id") ?? "";
  const body = new ReadableStream<Uint8Array>({
    start: (controller) => controller.enqueue(new TextEncoder().encode("data: begun\n\n")),
    cancel: () => log.info(`left ${id}`),
  });
  return new Response(body, { headers: { "Content-Type": "text/event-stream" } });
});
