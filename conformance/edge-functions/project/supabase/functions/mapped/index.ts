// Names that an import map gives a meaning: https://supabase.com/docs/guides/functions/dependencies
import { encodeHex } from "@std/encoding/hex";
import { corsHeaders } from "shared/cors.ts";
import { createClient } from "supabase";

export default {
  fetch(_req: Request): Response {
    return Response.json(
      { hex: encodeHex(new Uint8Array([255, 1])), client: typeof createClient },
      { headers: corsHeaders },
    );
  },
};
