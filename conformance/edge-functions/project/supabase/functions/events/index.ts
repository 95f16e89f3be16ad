// Events, one after another: https://supabase.com/docs/guides/functions/examples/server-sent-events
const msg = new TextEncoder().encode("data: hello\r\n\r\n");

Deno.serve(async (_) => {
  let timerId: number | undefined;
  let left = 3;
  const body = new ReadableStream({
    start(controller) {
      timerId = setInterval(() => {
        controller.enqueue(msg);
        left -= 1;
        if (left === 0) {
          clearInterval(timerId);
          controller.close();
        }
      }, 5);
    },
    cancel() {
      if (typeof timerId === "number") {
        clearInterval(timerId);
      }
    },
  });
  return new Response(body, { headers: { "Content-Type": "text/event-stream" } });
});
