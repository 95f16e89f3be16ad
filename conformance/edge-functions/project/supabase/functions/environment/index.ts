// What a function finds without being given it: https://supabase.com/docs/guides/functions/secrets
Deno.serve(() => Response.json(Deno.env.toObject()));
