/** Every way in which a function fails, by the path behind its name: `status/<n>/<type>` answers with that status. */
export default async (request: Request): Promise<Response> => {
  const [, , kind, status = "500", type = "json"] = new URL(request.url).pathname.split("/");
  switch (kind) {
    case "status":
      return type === "json"
        ? Response.json({ error: `said with ${status}` }, { status: Number(status) })
        : new Response(`said with ${status}`, { status: Number(status) });
    case "throw":
      throw new Error("only the author may read this");
    case "breaks": {
      let isBegun = false;
      const body = new ReadableStream<Uint8Array>({
        pull(controller) {
          if (isBegun) controller.error(new Error("broke in the middle"));
          else controller.enqueue(new TextEncoder().encode("begun "));
          isBegun = true;
        },
      });
      return new Response(body, { headers: { "Content-Type": "text/event-stream" } });
    }
    default:
      return new Response("fine");
  }
};
