/** Counts what it is sent, and hashes it: a form by its parts, anything else as it comes. */
export default async (request: Request): Promise<Response> => {
  const hash = async (bytes: ArrayBuffer): Promise<string> =>
    Buffer.from(await crypto.subtle.digest("SHA-256", bytes)).toString("hex");
  if (!request.headers.get("content-type")?.startsWith("multipart/form-data")) {
    const bytes = await request.arrayBuffer();
    return Response.json({
      type: request.headers.get("content-type"),
      size: bytes.byteLength,
      hash: await hash(bytes),
    });
  }
  const form = await request.formData();
  const file = form.get("file") as File;
  return Response.json({
    text: form.get("text"),
    name: file.name,
    type: file.type,
    size: file.size,
    hash: await hash(await file.arrayBuffer()),
  });
};
