/** Reads a form, whichever of the two kinds it is, and tells what is in it. */
export default async (request: Request): Promise<Response> => {
  const fields: [string, unknown][] = [];
  for (const [name, value] of await request.formData()) {
    fields.push([
      name,
      typeof value === "string" ? value : { name: value.name, type: value.type, text: await value.text() },
    ]);
  }
  return Response.json(fields);
};
