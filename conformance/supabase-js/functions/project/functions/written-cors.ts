const corsHeaders = {
  "Access-Control-Allow-Origin": "*",
  "Access-Control-Allow-Headers": "authorization, x-client-info, apikey, content-type",
};

/** CORS by hand, as guides have it. */
export default (request: Request): Response =>
  request.method === "OPTIONS"
    ? new Response("ok", { headers: corsHeaders })
    : Response.json({ message: "hello" }, { headers: corsHeaders });
