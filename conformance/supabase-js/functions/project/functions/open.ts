import { serve } from "@mainstay/functions";

/** Whoever calls needs nothing. */
export default serve({ verifyJwt: false }, (request, { user }) =>
  Response.json({ user: user?.id ?? null, authorization: request.headers.get("authorization") }),
);
