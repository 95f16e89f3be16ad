import { serve } from "@mainstay/functions";

/** Whoever calls needs a key or a token. Tells who that was, and what the database says of it. */
export default serve(async (request, { user, db }) => {
  const { data } = await db.rpc("caller");
  const { headers } = request;
  return Response.json({ user: user?.id ?? null, authorization: headers.get("authorization"), caller: data });
});
