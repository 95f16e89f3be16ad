/** What the path says: a status and, as body, JSON of the words after it. No word of CORS. */
export default (request: Request): Response => {
  const [, , status = "200", ...words] = new URL(request.url).pathname.split("/");
  return Response.json({ words }, { status: Number(status), headers: { "X-Own": "1" } });
};
