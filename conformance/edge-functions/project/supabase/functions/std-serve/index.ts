// The older way: https://deno.land/std@0.168.0/http/server.ts

import { encode } from "https://deno.land/std@0.168.0/encoding/base64.ts";
import { serve } from "https://deno.land/std@0.168.0/http/server.ts";
import { createClient } from "https://esm.sh/@supabase/supabase-js@2.7.1";

serve(async (req) => {
  const { searchParams, pathname } = new URL(req.url);
  return new Response(
    JSON.stringify({ pathname, word: encode(searchParams.get("word") ?? ""), client: typeof createClient }),
    { headers: { "Content-Type": "application/json" } },
  );
});
