/** Tells what it was sent. */
export default async (request: Request): Promise<Response> => {
  const { pathname, search } = new URL(request.url);
  const bytes = Buffer.from(await request.arrayBuffer());
  return Response.json({
    method: request.method,
    pathname,
    search,
    headers: Object.fromEntries(request.headers),
    text: bytes.toString("utf8"),
    base64: bytes.toString("base64"),
  });
};
