const text = await Deno.readTextFile(new URL("./greeting.txt", import.meta.url)).catch(() => "no file");

Deno.serve(async (req) => {
  if (req.method === "PUT") {
    await Deno.writeTextFile("/tmp/greeting.txt", await req.text());
  }
  return new Response(text);
});
