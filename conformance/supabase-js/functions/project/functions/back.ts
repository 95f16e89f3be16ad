/** Gives back what it is sent, as it comes. */
export default (request: Request): Response =>
  new Response(request.body, { headers: { "Content-Type": "application/octet-stream" } });
