import { afterEach, describe, expect, test } from "vitest";
import { openThread, type TestThread, type TestThreadOptions } from "../harness.testing.ts";
import { absent } from "./absent.ts";

const threads: TestThread[] = [];
afterEach(async () => {
  await Promise.all(threads.splice(0).map((thread) => thread.stop()));
});
const open = async (source: string, options?: TestThreadOptions): Promise<TestThread> => {
  const thread = await openThread(source, options);
  threads.push(thread);
  return thread;
};
const std = (name: string): string => JSON.stringify(new URL(`./std-${name}.ts`, import.meta.url).href);

describe("an endpoint", () => {
  test.each([
    ["Deno.serve(handler)", `Deno.serve((request, info) => new Response(request.method + info.remoteAddr.hostname));`],
    [
      "Deno.serve(options, handler)",
      `Deno.serve({ port: 9999, onListen: ({ port }) => console.log(port) }, (request, info) => new Response(request.method + info.remoteAddr.hostname));`,
    ],
    [
      "Deno.serve({ handler })",
      `Deno.serve({ handler: async (request) => new Response(request.method + "9.9.9.9") });`,
    ],
    [
      "waiting for the server's end",
      `const server = Deno.serve((request) => new Response(request.method + "9.9.9.9")); await server.finished;`,
    ],
    ["a default function", `export default (request) => new Response(request.method + "9.9.9.9");`],
    [
      "a default object",
      `export default { greeting: "9.9.9.9", fetch(request) { return new Response(request.method + this.greeting); } };`,
    ],
    [
      "serve of ours",
      `import { serve } from "@mainstay/functions"; serve((request) => new Response(request.method + "9.9.9.9"));`,
    ],
    [
      "serve of ours, exported",
      `import { serve } from "@mainstay/functions"; export default serve({ verifyJwt: false }, (request) => new Response(request.method + "9.9.9.9"));`,
    ],
    [
      "std's serve",
      `import { serve } from ${std("http-server")}; await serve(async (request) => new Response(request.method + "9.9.9.9"), { port: 1 });`,
    ],
    [
      "an event",
      `addEventListener("fetch", (event) => event.respondWith(new Response(event.request.method + "9.9.9.9")));`,
    ],
  ])("is %s", async (_what, source) => {
    const thread = await open(source);
    expect(thread.definitions).toHaveLength(1);
    expect(await thread.request({ headers: ["x-forwarded-for", "9.9.9.9, 10.0.0.1"] })).toMatchObject({
      status: 200,
      body: "GET9.9.9.9",
    });
  });

  test("is one, or the file is refused", async () => {
    await expect(open(`Deno.serve(() => new Response("a")); export default () => new Response("b");`)).rejects.toThrow(
      "answers requests in 2 ways",
    );
  });

  test("answers by onError what its handler throws", async () => {
    const thread = await open(
      `Deno.serve({ onError: (error) => new Response(error.message, { status: 418 }) }, async () => { throw new Error("mine"); });`,
    );
    expect(await thread.request()).toMatchObject({ status: 418, body: "mine" });
  });
});

describe("Deno", () => {
  const evaluate = async (body: string): Promise<unknown> => {
    const thread = await open(`Deno.serve(async () => Response.json(await (async () => { ${body} })()));`);
    const outcome = await thread.request();
    if (!("status" in outcome)) throw new Error(JSON.stringify(outcome));
    return JSON.parse(outcome.body!);
  };

  test("has the environment that was given", async () => {
    expect(
      await evaluate(
        `Deno.env.set("MINE", "1"); return [Deno.env.get("GREETING"), Deno.env.has("HOME"), Deno.env.get("nothing") ?? null, Deno.env.toObject()];`,
      ),
    ).toEqual(["hello", false, null, { SUPABASE_URL: "http://127.0.0.1:1", GREETING: "hello", MINE: "1" }]);
  });

  test("says what it is, and what it may do", async () => {
    const file = JSON.stringify(import.meta.filename);
    expect(
      await evaluate(`return [typeof Deno.version.deno, typeof Deno.build.os, Deno.args, Deno.inspect({ a: 1 }),
        (await Deno.permissions.query({ name: "net" })).state, (await Deno.permissions.query({ name: "run" })).state,
        (await Deno.readTextFile(${file})).slice(0, 6), await Deno.readTextFile("/nowhere").catch((error) => error instanceof Deno.errors.NotFound)];`),
    ).toEqual(["string", "string", [], "{ a: 1 }", "granted", "denied", "import", true]);
  });

  test("throws for all that is absent, saying what to do", async () => {
    const paths = Object.keys(absent).filter((path) => !path.startsWith("Supabase."));
    const results = (await evaluate(`const results = [];
      for (const path of ${JSON.stringify(paths)}) {
        const [object, name] = path.split(".");
        try { globalThis[object][name](); results.push("done"); } catch (error) { results.push([error instanceof Deno.errors.NotSupported, error.message]); }
      }
      return results;`)) as [boolean, string][];
    expect(results).toEqual(paths.map((path) => [true, `${path} is not part of this runtime. ${absent[path]}`]));
  });

  test("hears of rejections that nobody caught, and may take them", async () => {
    expect(
      await evaluate(`const heard = new Promise((done) => addEventListener("unhandledrejection", (event) => { event.preventDefault(); done(event.reason.message); }));
        Promise.reject(new Error("lost")); return heard;`),
    ).toBe("lost");
  });

  test("gives work to an invocation that has answered", async () => {
    const thread = await open(
      `Deno.serve(() => { EdgeRuntime.waitUntil((async () => { await new Promise((done) => setTimeout(done, 5)); console.log("after"); })()); return new Response("now"); });`,
    );
    expect(await thread.request()).toMatchObject({ body: "now" });
    await expect.poll(() => thread.lines.map(({ message }) => message)).toEqual(["after"]);
  });
});

test("modules of std are there under their names then and now", async () => {
  const thread = await open(`
    import { decode, encode, encodeBase64 } from ${std("encoding-base64")}; import { encodeBase64Url } from ${std("encoding-base64url")};
    import { decodeHex, encodeHex } from ${std("encoding-hex")}; import { load } from ${std("dotenv")}; import { STATUS_CODE, Status } from ${std("http-status")};
    import { deleteCookie, getCookies, setCookie } from ${std("http-cookie")}; import { timingSafeEqual } from ${std("crypto")}; import { deadline, delay } from ${std("async")};
    Deno.serve(async (request) => {
      await load(); await delay(1);
      const headers = new Headers(); setCookie(headers, { name: "a", value: "1", path: "/", maxAge: 5, httpOnly: true, sameSite: "Lax" }); deleteCookie(headers, "b");
      let refused = 0;
      for (const bad of [{ name: "a b", value: "" }, { name: "a", value: "x;y" }, { name: "a", value: "", path: "/;x" }]) { try { setCookie(headers, bad); } catch { refused++; } }
      return Response.json([encode("ä"), encodeBase64(new Uint8Array([255])), [...decode("w6Q=")], encodeBase64Url(new Uint8Array([255, 255])), encodeHex(decodeHex("ff00")),
        Status.NotFound, STATUS_CODE.OK, getCookies(request.headers), headers.getSetCookie(), refused,
        timingSafeEqual(new Uint8Array([1]), new Uint8Array([1])), timingSafeEqual(new Uint8Array([1]), new Uint8Array([1, 2])),
        await deadline(new Promise(() => {}), 1).catch((error) => error.name)]);
    });`);
  const outcome = await thread.request({ headers: ["cookie", "x=1; y=2"] });
  expect(JSON.parse((outcome as { body: string }).body)).toEqual([
    "w6Q=",
    "/w==",
    [195, 164],
    "__8",
    "ff00",
    404,
    200,
    { x: "1", y: "2" },
    ["a=1; Max-Age=5; Path=/; HttpOnly; SameSite=Lax", "b=; Expires=Thu, 01 Jan 1970 00:00:00 GMT"],
    3,
    true,
    false,
    "TimeoutError",
  ]);
});

test("an edge function as people write them runs unchanged", async () => {
  const thread = await open(
    `const corsHeaders = { "Access-Control-Allow-Origin": "*", "Access-Control-Allow-Headers": "authorization, x-client-info, apikey, content-type" };
    Deno.serve(async (req) => {
      if (req.method === "OPTIONS") return new Response("ok", { headers: corsHeaders });
      try {
        const { name } = await req.json();
        const answer = await fetch(Deno.env.get("SUPABASE_URL") + "/rest/v1/todos?select=*", { headers: { Authorization: req.headers.get("Authorization") } });
        const stream = new ReadableStream({ start(controller) { controller.enqueue(new TextEncoder().encode(JSON.stringify({ message: "Hello " + name, todos: 1 }))); controller.close(); } });
        await answer.json();
        return new Response(stream, { headers: { ...corsHeaders, "Content-Type": "application/json" }, status: 200 });
      } catch (error) {
        return new Response(JSON.stringify({ error: error.message }), { headers: { ...corsHeaders, "Content-Type": "application/json" }, status: 400 });
      }
    });`,
    { fetch: () => ({ status: 200, body: "[]" }) },
  );
  expect(await thread.request({ method: "OPTIONS" })).toMatchObject({ status: 200, body: "ok" });
  expect(await thread.request({ body: '{"name":"Ada"}', headers: ["authorization", "Bearer t"] })).toMatchObject({
    status: 200,
    body: '{"message":"Hello Ada","todos":1}',
  });
  expect(await thread.request({ body: "{" })).toMatchObject({ status: 400, body: expect.stringContaining("JSON") });
});
