import { serve } from "@mainstay/functions";

/** Lets one origin call, which the caller names, and expose one header; answers preflights itself. */
export default serve({ ownsPreflight: true }, (request) => {
  const headers = {
    "Access-Control-Allow-Origin": new URL(request.url).searchParams.get("origin") ?? "https://elsewhere.example",
    "Access-Control-Allow-Headers": "authorization, x-client-info, apikey, content-type",
    "Access-Control-Expose-Headers": "X-Own",
  };
  if (request.method === "OPTIONS") return new Response("ok", { headers });
  return Response.json({ by: request.method }, { headers: { ...headers, "X-Own": "own" } });
});
