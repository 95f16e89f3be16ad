const text = (body: string | null, type: string): Response => new Response(body, { headers: { "Content-Type": type } });

/** An answer of every kind that clients tell apart, by the path behind the function's name. */
const answers: Readonly<Record<string, () => Response>> = {
  json: () => Response.json({ a: [1, "ü", null] }),
  "json-with-parameters": () => text('{"a":1}', "Application/JSON; Charset=UTF-8"),
  "octet-stream": () =>
    new Response(new Uint8Array([0, 1, 254, 255]), { headers: { "Content-Type": "application/octet-stream" } }),
  pdf: () => text("%PDF-1.7\n", "application/pdf"),
  html: () => text("<p>hello</p>", "text/html; charset=utf-8"),
  untyped: () => new Response(new TextEncoder().encode("no type")),
  empty: () => new Response(null),
  204: () => new Response(null, { status: 204 }),
  201: () => Response.json({ id: 7 }, { status: 201, headers: { Location: "/things/7" } }),
  form() {
    const form = new FormData();
    form.append("field", "value");
    form.append("file", new Blob(["bytes"], { type: "text/csv" }), "a.csv");
    return new Response(form);
  },
  events() {
    const pieces = ["data: 1\n\n", "event: named\ndata: 2\n\n"];
    const body = new ReadableStream<Uint8Array>({
      pull(controller) {
        const piece = pieces.shift();
        if (piece === undefined) controller.close();
        else controller.enqueue(new TextEncoder().encode(piece));
      },
    });
    return new Response(body, { headers: { "Content-Type": "text/event-stream" } });
  },
  cookies() {
    const headers = new Headers({ "X-Own": "1", ETag: '"v1"' });
    headers.append("Set-Cookie", "a=1; Path=/; HttpOnly");
    headers.append("Set-Cookie", "b=2; Path=/; Expires=Thu, 01 Jan 2099 00:00:00 GMT");
    return new Response("set", { headers });
  },
  zipped: () =>
    new Response(new Response('{"zipped":true}').body!.pipeThrough(new CompressionStream("gzip")), {
      headers: { "Content-Type": "application/json", "Content-Encoding": "gzip" },
    }),
};

export default (request: Request): Response => {
  const name = new URL(request.url).pathname.split("/")[2] ?? "";
  return answers[name]?.() ?? new Response("no such answer", { status: 404 });
};
