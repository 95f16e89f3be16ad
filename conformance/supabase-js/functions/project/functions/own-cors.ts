import { serve } from "@mainstay/functions";

/** Answers preflights itself, for one origin. */
export default serve({ verifyJwt: false, ownsPreflight: true }, (request) => {
  const headers = {
    "Access-Control-Allow-Origin": "https://one.example",
    "Access-Control-Allow-Headers": "x-own",
    Vary: "Origin",
  };
  return new Response(request.method === "OPTIONS" ? "own preflight" : "own", { headers });
});
