Deno.serve((_req) => new Response("Hello, whoever you are"));
