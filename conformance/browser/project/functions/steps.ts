import { serve } from "@mainstay/functions";

/** Sends a word after another, each only when the page has said that it has the one before: a row of `steps` says so. */
export default serve((request, { db, signal }) => {
  const { searchParams } = new URL(request.url);
  const run = searchParams.get("run") ?? "";
  let sent = 0;
  const isTaken = async (): Promise<boolean> => {
    const { data } = await db.from("steps").select("n").eq("run", run).eq("n", sent);
    return (data ?? []).length > 0;
  };
  const body = new ReadableStream<Uint8Array>({
    async pull(controller) {
      while (sent > 0 && !signal.aborted && !(await isTaken())) await new Promise((again) => setTimeout(again, 20));
      sent += 1;
      controller.enqueue(new TextEncoder().encode(`data: ${sent}\n\n`));
      if (sent === 3) controller.close();
    },
  });
  return new Response(body, { headers: { "Content-Type": searchParams.get("type") ?? "text/event-stream" } });
});
