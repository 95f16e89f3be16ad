// Work that goes on after the answer: https://supabase.com/docs/guides/functions/background-tasks
import { createClient } from "jsr:@supabase/supabase-js@2";

async function longRunningTask(text: string) {
  const supabase = createClient(Deno.env.get("SUPABASE_URL")!, Deno.env.get("SUPABASE_SERVICE_ROLE_KEY")!);
  const { error } = await supabase.from("notes").insert({ text });
  if (error) throw error;
  console.log(`task finished: ${text}`);
}

addEventListener("beforeunload", (ev) => {
  console.log("Function will be shutdown due to", (ev as CustomEvent).detail?.reason);
});

Deno.serve(async (req) => {
  EdgeRuntime.waitUntil(longRunningTask(await req.text()));
  return new Response(JSON.stringify({ accepted: true }), { headers: { "Content-Type": "application/json" } });
});
