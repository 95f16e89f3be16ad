// A client as the caller, and one as the service: https://supabase.com/docs/guides/functions/auth
import { createClient } from "npm:@supabase/supabase-js@2";

Deno.serve(async (req) => {
  const authHeader = req.headers.get("Authorization")!;
  const supabase = createClient(Deno.env.get("SUPABASE_URL") ?? "", Deno.env.get("SUPABASE_ANON_KEY") ?? "", {
    global: { headers: { Authorization: authHeader } },
  });
  const admin = createClient(Deno.env.get("SUPABASE_URL")!, Deno.env.get("SUPABASE_SERVICE_ROLE_KEY")!);

  const token = authHeader.replace("Bearer ", "");
  const {
    data: { user },
  } = await supabase.auth.getUser(token);
  const { data: own, error } = await supabase.from("notes").select("text").order("text");
  const { count } = await admin.from("notes").select("*", { count: "exact", head: true });

  return Response.json({ email: user?.email ?? null, own, error, all: count });
});
