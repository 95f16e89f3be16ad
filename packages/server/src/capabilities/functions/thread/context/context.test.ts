import { afterEach, describe, expect, test } from "vitest";
import type { Json } from "../../../../platform/jobs/types.ts";
import { type Fetched, type Outcome, openThread, type TestThread, type TestThreadOptions } from "../harness.testing.ts";

const threads: TestThread[] = [];
afterEach(async () => {
  await Promise.all(threads.splice(0).map((thread) => thread.stop()));
});
const open = async (source: string, options?: TestThreadOptions): Promise<TestThread> => {
  const thread = await openThread(source, options);
  threads.push(thread);
  return thread;
};
const ask = async (body: string, options: TestThreadOptions = {}, given: { caller?: Json } = {}): Promise<unknown> => {
  const thread = await open(
    `export default async (request, ctx) => Response.json((await (async () => { ${body} })()) ?? null);`,
    options,
  );
  const outcome = await thread.request({}, given);
  if (!("status" in outcome)) throw new Error(JSON.stringify(outcome));
  return JSON.parse(outcome.body!);
};

describe("clients", () => {
  const seen: Fetched[] = [];
  const fetch = (request: Fetched) => {
    seen.push(request);
    return { status: 200, body: JSON.stringify([{ id: 1 }]) };
  };
  afterEach(() => {
    seen.length = 0;
  });

  test("ctx.db speaks to the REST API as the caller, and ctx.admin as the service role", async () => {
    const result = await ask(
      `const mine = await ctx.db.from("bookings").select("id").eq("id", 1);
       const all = await ctx.admin.from("bookings").insert({ id: 2 }).select();
       const told = await ctx.db.rpc("add", { a: 1 });
       return [mine.data, mine.status, mine.error, all.status, told.data];`,
      { fetch },
    );
    expect(result).toEqual([[{ id: 1 }], 200, null, 200, [{ id: 1 }]]);
    expect(seen.map(({ as, body, method, url }) => [as, method, url, body])).toEqual([
      ["caller", "GET", "http://127.0.0.1:1/rest/v1/bookings?select=id&id=eq.1", null],
      ["admin", "POST", "http://127.0.0.1:1/rest/v1/bookings?select=*", '{"id":2}'],
      ["caller", "POST", "http://127.0.0.1:1/rest/v1/rpc/add", '{"a":1}'],
    ]);
  });

  test("ctx.storage uploads bytes and forms, ctx.admin.storage and ctx.admin.auth.admin as the service role", async () => {
    await ask(
      `await ctx.storage.from("photos").upload("a.txt", new Blob(["content"], { type: "text/plain" }));
       await ctx.admin.storage.from("photos").remove(["a.txt"]);
       await ctx.admin.auth.admin.getUserById("00000000-0000-0000-0000-000000000001");`,
      { fetch },
    );
    expect(seen.map(({ as, method, url }) => [as, method, url])).toEqual([
      ["caller", "POST", "http://127.0.0.1:1/storage/v1/object/photos/a.txt"],
      ["admin", "DELETE", "http://127.0.0.1:1/storage/v1/object/photos"],
      ["admin", "GET", "http://127.0.0.1:1/auth/v1/admin/users/00000000-0000-0000-0000-000000000001"],
    ]);
    expect(seen[0]!.body).toContain("content");
    expect(seen[0]!.headers.join()).toMatch(/multipart\/form-data; boundary=/);
  });

  test("a client made by hand, with the project's URL, stays inside, as whom its headers name", async () => {
    expect(
      await ask(
        `const answer = await fetch(process.env.SUPABASE_URL + "/rest/v1/x", { headers: { Authorization: "Bearer t" } });
         return [answer.status, await answer.json()];`,
        { fetch, init: { environment: { SUPABASE_URL: "http://127.0.0.1:1" } } },
      ),
    ).toEqual([200, [{ id: 1 }]]);
    expect(seen.map(({ as, headers }) => [as, headers])).toEqual([["sent", ["authorization", "Bearer t"]]]);
  });

  test("another host that begins like it does not", async () => {
    await ask(
      `await fetch("http://127.0.0.1:1.evil.invalid/").catch(() => {}); await fetch("http://127.0.0.1:10/").catch(() => {});`,
      { fetch },
    );
    expect(seen).toEqual([]);
  });
});

describe("ctx.user", () => {
  const claims = { sub: "u1", role: "authenticated", email: "a@b.c", phone: "", is_anonymous: false };
  test("is who the token names", async () => {
    expect(await ask("return ctx.user", {}, { caller: { role: "authenticated", subject: "u1", claims } })).toEqual({
      id: "u1",
      role: "authenticated",
      email: "a@b.c",
      phone: null,
      isAnonymous: false,
      claims,
    });
  });

  test("is nobody for a key, and for what runs by itself", async () => {
    expect(await ask("return [ctx.user]")).toEqual([null]);
  });
});

describe("ctx.transaction", () => {
  const calls: Json[] = [];
  const services: TestThreadOptions["services"] = Object.fromEntries(
    ["tx.begin", "tx.query", "tx.enqueue", "tx.commit", "tx.rollback"].map((name) => [
      name,
      (...args: Json[]) => {
        calls.push([name, ...args]);
        if (name === "tx.query" && args[1] === "fail") throw new Error("failed");
        return name === "tx.begin" ? "h1" : name === "tx.query" ? [{ n: 1 }] : { id: "j1", isNew: true };
      },
    ]),
  );
  afterEach(() => {
    calls.length = 0;
  });

  test("sends statements with parameters as PostgreSQL's text, and commits", async () => {
    const result = await ask(
      `return ctx.transaction(async (tx) => {
        const rows = await tx.sql\`select \${1}, \${"o'hara"}, \${null}, \${true}, \${10n}, \${new Date(0)}, \${new Uint8Array([255, 0])},
          \${{ a: [1] }}, \${["a,b", null, 'q"']}, \${[[1, 2], [3, 4]]}, \${[{ a: 1 }]}, \${[]}\`;
        return [rows, await tx.jobs.enqueue("mail", { to: 1 }, { key: "k", runAt: new Date(5) })];
      });`,
      { services },
    );
    expect(result).toEqual([[{ n: 1 }], { id: "j1", isNew: true }]);
    expect(calls).toEqual([
      ["tx.begin", "caller"],
      [
        "tx.query",
        "h1",
        "select $1, $2, $3, $4, $5, $6, $7,\n          $8, $9, $10, $11, $12",
        [
          "1",
          "o'hara",
          null,
          "true",
          "10",
          "1970-01-01T00:00:00.000Z",
          "\\xff00",
          '{"a":[1]}',
          '{"a,b",NULL,"q\\""}',
          '{{"1","2"},{"3","4"}}',
          '[{"a":1}]',
          "{}",
        ],
      ],
      ["tx.enqueue", "h1", "mail", { to: 1 }, { key: "k", runAtMs: 5 }],
      ["tx.commit", "h1"],
    ]);
  });

  test("rolls back what throws, and what the database refuses", async () => {
    const result = await ask(
      `const thrown = await ctx.transaction(async () => { throw new Error("mine"); }, { as: "admin" }).catch((error) => error.message);
       const refused = await ctx.transaction((tx) => tx.sql\`fail\`).catch((error) => error.message);
       return [thrown, refused];`,
      { services },
    );
    expect(result).toEqual(["mine", "failed"]);
    expect(calls).toEqual([
      ["tx.begin", "admin"],
      ["tx.rollback", "h1"],
      ["tx.begin", "caller"],
      ["tx.query", "h1", "fail", []],
      ["tx.rollback", "h1"],
    ]);
  });

  test("takes no text in place of a tag, nothing undefined, and nothing after its end", async () => {
    const result = await ask(
      `const attempt = (work) => ctx.transaction(work).catch((error) => error.name);
       let kept;
       await ctx.transaction(async (tx) => { kept = tx; });
       return [
         await attempt((tx) => tx.sql("select 1")), await attempt((tx) => tx.sql(["select 1"])), await attempt((tx) => tx.sql\`\${undefined}\`),
         await attempt((tx) => tx.sql\`\${Symbol()}\`), await attempt((tx) => tx.sql\`\${"a\\0b"}\`), await attempt((tx) => tx.sql\`\${new Date(NaN)}\`),
         await kept.sql\`select 1\`.catch((error) => error.message.slice(0, 24)),
       ];`,
      { services },
    );
    expect(result).toEqual([...Array(6).fill("TypeError"), "This transaction is over"]);
    expect((calls as Json[][]).filter(([name]) => name === "tx.query")).toEqual([]);
  });
});

describe("a job", () => {
  const context = {
    job: { id: "j", name: "trip", attempt: 2, maxAttempts: 10, key: null, createdAt: "2026-01-01T00:00:00.000Z" },
  };
  interface Memory {
    readonly calls: Json[][];
    readonly steps: Map<string, Json>;
  }
  async function run(body: string, memory: Memory = { calls: [], steps: new Map() }): Promise<[Outcome, Memory]> {
    const services: NonNullable<TestThreadOptions["services"]> = {
      "job.step": (name) =>
        memory.steps.has(name as string)
          ? { isDone: true, value: memory.steps.get(name as string)! }
          : { isDone: false },
      "job.stepDone": (name, value) => void memory.steps.set(name as string, value!),
      "job.stepCommit": (_handle, name, value) => void memory.steps.set(name as string, value!),
      "job.sleep": (name, until) =>
        memory.steps.has(name as string)
          ? { isDone: true, value: null }
          : { isDone: false, suspended: { kind: "sleeping", until: until! } },
      "job.wait": (name) =>
        memory.steps.has(name as string)
          ? { isDone: true, value: memory.steps.get(name as string)! }
          : { isDone: false, suspended: { kind: "waiting", step: name! } },
      "job.progress": () => undefined,
      "job.complete": () => undefined,
      "jobs.enqueue": () => ({ id: "x", isNew: true }),
      "tx.begin": () => "h",
      "tx.query": () => [],
      "tx.commit": () => undefined,
      "tx.rollback": () => undefined,
    };
    const watched = Object.fromEntries(
      Object.entries(services).map(([name, service]) => [
        name,
        (...args: Json[]) => {
          memory.calls.push([name, ...args]);
          return service(...args);
        },
      ]),
    );
    const thread = await open(
      `import { job } from "@mainstay/functions"; job("trip", async (payload, ctx) => { ${body} });`,
      { services: watched },
    );
    return [await thread.run(0, { a: 1 }, context), memory];
  }

  test("is told of itself, and steps are done once", async () => {
    const body = `const one = await ctx.step("one", () => ({ at: new Date(0), none: undefined }));
      const two = await ctx.stepInTransaction("two", async (tx) => { await tx.sql\`select 1\`; });
      await ctx.progress(0.5);
      return [payload, ctx.job.attempt, ctx.job.createdAt instanceof Date, ctx.user, one, two];`;
    const [first, memory] = await run(body);
    const expected = { value: [{ a: 1 }, 2, true, null, { at: "1970-01-01T00:00:00.000Z" }, null] };
    expect(first).toEqual(expected);
    expect(memory.calls.map(([name]) => name)).toEqual(
      "job.step job.stepDone job.step tx.begin tx.query job.stepCommit tx.commit job.progress".split(" "),
    );
    memory.calls.length = 0;
    expect((await run(body, memory))[0]).toEqual(expected);
    expect(memory.calls.map(([name]) => name)).toEqual(["job.step", "job.step", "job.progress"]);
  });

  test("sleeps by ending its run, and goes on when the time has come", async () => {
    const body = `await ctx.sleep("night", "2h30m"); return "awake";`;
    const [first, memory] = await run(body);
    expect(first).toEqual({ suspended: { kind: "sleeping", until: { forMs: 9_000_000 } } });
    memory.steps.set("night", null);
    expect((await run(body, memory))[0]).toEqual({ value: "awake" });
  });

  test("X18 sleeps until a time that is its own word, and for so long by no clock of the thread's", async () => {
    const body = `Date.now = () => 0; await ctx.sleepUntil("morning", new Date(5_000)); await ctx.waitForEvent("paid", { timeout: "1s" });`;
    const [first, memory] = await run(body);
    expect(first).toEqual({ suspended: { kind: "sleeping", until: { untilMs: 5_000 } } });
    memory.steps.set("morning", null);
    await run(body, memory);
    expect(memory.calls.at(-1)).toEqual(["job.wait", "paid", "paid", null, { forMs: 1_000 }]);
  });

  test("that catches its suspension is suspended all the same, and does nothing more", async () => {
    const [outcome, { calls }] = await run(`
      try { await ctx.sleep("night", 1000); } catch {}
      const steps = await Promise.allSettled([
        ctx.step("late", () => 1), ctx.jobs.enqueue("x", 1), ctx.transaction(async () => {}), ctx.db.from("a").select().throwOnError(), ctx.sleep("again", 5), ctx.complete(async () => {}),
      ]);
      return steps.map(({ status }) => status);`);
    expect(outcome).toMatchObject({ suspended: { kind: "sleeping" } });
    expect(calls.map(([name]) => name)).toEqual(["job.sleep"]);
  });

  test("remembers what was under way when another part of it went to sleep", async () => {
    const [outcome, { steps }] = await run(
      `await Promise.all([ctx.step("slow", () => new Promise((done) => setTimeout(done, 50, "done"))), ctx.sleep("night", 1000)]);`,
    );
    expect(outcome).toMatchObject({ suspended: { kind: "sleeping" } });
    expect([...steps]).toEqual([["slow", "done"]]);
  });

  test("waits for an event, and gets its payload, or null", async () => {
    const body = `return ctx.waitForEvent("paid", { key: "b1", timeout: "3 days" });`;
    const [first, memory] = await run(body);
    expect(first).toEqual({ suspended: { kind: "waiting", step: "paid/b1" } });
    expect(memory.calls[0]!.slice(0, 4)).toEqual(["job.wait", "paid/b1", "paid", "b1"]);
    memory.steps.set("paid/b1", { amount: 5 });
    expect((await run(body, memory))[0]).toEqual({ value: { amount: 5 } });
  });

  test("waits for one event twice, under names of their own", async () => {
    const body = `const first = await ctx.waitForEvent("paid", { key: "b1", timeout: 1000 });
      return [first, await ctx.waitForEvent("paid", { key: "b1", timeout: "1 day", step: "after the reminder" })];`;
    const [, memory] = await run(body);
    memory.steps.set("paid/b1", null);
    expect((await run(body, memory))[0]).toEqual({ suspended: { kind: "waiting", step: "after the reminder" } });
    expect(memory.calls.at(-1)!.slice(0, 4)).toEqual(["job.wait", "after the reminder", "paid", "b1"]);
    memory.steps.set("after the reminder", { amount: 5 });
    expect((await run(body, memory))[0]).toEqual({ value: [null, { amount: 5 }] });
  });

  test("uses no name twice in a run, and sleeps for no nonsense", async () => {
    const [twice] = await run(`await ctx.step("a", () => 1); await ctx.step("a", () => 2);`);
    expect(twice).toMatchObject({ error: { message: expect.stringContaining('"a" has begun') } });
    for (const duration of ['"soon"', "-1", "NaN", '"3 months"']) {
      const [outcome, { calls }] = await run(`await ctx.sleep("a", ${duration});`);
      expect(outcome).toMatchObject({ error: { name: "TypeError" } });
      expect(calls).toEqual([]);
    }
  });

  test("ends with its last piece of work in one transaction, after which nothing comes", async () => {
    const [outcome, { calls }] = await run(`
      const value = await ctx.complete(async (tx) => { await tx.sql\`update a\`; return { n: 1 }; });
      return [value, await ctx.step("late", () => 1).catch((error) => error.message)];`);
    expect(outcome).toEqual({ value: [{ n: 1 }, "The job is complete: nothing may follow `complete`."] });
    expect(calls).toEqual([
      ["tx.begin", "caller"],
      ["tx.query", "h", "update a", []],
      ["job.complete", "h", { n: 1 }],
      ["tx.commit", "h"],
    ]);
  });
});

describe("the rest", () => {
  test("ctx.jobs and ctx.http ask the server", async () => {
    const calls: Json[] = [];
    const note =
      (name: string, answer: Json) =>
      (...args: Json[]) => {
        calls.push([name, ...args]);
        return answer;
      };
    const answer = {
      status: 404,
      headers: ["x-a", "1"],
      body: Buffer.from('{"a":1}').toString("base64"),
      source: "stale",
      fetchedAtMs: 0,
    };
    const result = await ask(
      `const job = await ctx.jobs.enqueue("mail", { to: 1 }, { delayMs: 5 });
       const asked = await ctx.http.request("https://weather.test/x", { method: "POST", body: new Uint8Array([1]), cacheMs: 5 });
       const failed = await ctx.http.json("https://weather.test/x").catch((error) => [error.name, error.status, error.code]);
       return [job, await ctx.jobs.get("1"), await ctx.jobs.cancel("1"), await ctx.jobs.retry("1"), await ctx.jobs.sendEvent("e", 1, { key: "k" }) ?? null,
         asked.status, asked.headers.get("x-a"), asked.json(), asked.source, asked.fetchedAt, failed,
         await ctx.jobs.enqueue("bad", () => {}).catch((error) => error.name)];`,
      {
        services: {
          "jobs.enqueue": note("enqueue", { id: "1", isNew: true }),
          "jobs.get": note("get", null),
          "jobs.cancel": note("cancel", true),
          "jobs.retry": note("retry", false),
          "jobs.sendEvent": note("sendEvent", null),
          "http.request": note("http", answer),
        },
      },
    );
    expect(result).toEqual([
      { id: "1", isNew: true },
      null,
      true,
      false,
      null,
      404,
      "1",
      { a: 1 },
      "stale",
      "1970-01-01T00:00:00.000Z",
      ["HttpStatusError", 404, "status"],
      "TypeError",
    ]);
    expect(calls).toEqual([
      ["enqueue", "mail", { to: 1 }, { delayMs: 5 }],
      ["http", "https://weather.test/x", { method: "POST", cacheMs: 5, bodyBase64: "AQ==" }],
      ["http", "https://weather.test/x", {}],
      ["get", "1"],
      ["cancel", "1"],
      ["retry", "1"],
      ["sendEvent", "e", 1, { key: "k" }],
    ]);
  });

  test("a context can be taken apart", async () => {
    expect(
      await ask(
        `const { log, secrets, transaction, waitUntil, requestId } = ctx; log.warn("w", { a: 1 }); return [secrets, typeof transaction, typeof waitUntil, requestId];`,
      ),
    ).toEqual([{ GREETING: "hello" }, "function", "function", "invocation-1"]);
  });

  test("lines belong to the invocation that writes them, whatever it waits for, and those of loading to the first", async () => {
    const thread = await open(`console.warn("loading");
      export default async (request, ctx) => {
        const name = new URL(request.url).searchParams.get("n");
        await new Promise((done) => setTimeout(done, name === "1" ? 30 : 5));
        console.log(name); process.stdout.write("raw " + name + "\\n"); console.table([{ a: 1 }]); console.assert(false, "no");
        ctx.log.info("told", { n: name });
        return new Response(name);
      }`);
    await Promise.all(["1", "2"].map((name) => thread.request({ url: `http://h/?n=${name}` }, { id: `i${name}` })));
    expect(thread.lines[0]).toMatchObject({ invocation: "i1", level: "warn", message: "loading" });
    for (const name of ["1", "2"]) {
      const own = thread.lines.filter(({ invocation, message }) => invocation === `i${name}` && message !== "loading");
      expect(own.map(({ message }) => message)).toEqual([
        name,
        `raw ${name}`,
        ...own.slice(2, -2).map(({ message }) => message),
        "Assertion failed: no",
        "told",
      ]);
      expect(own.at(-1)).toMatchObject({ level: "info", fields: { n: name } });
    }
  });

  test("times come as dates", async () => {
    const thread = await open(`import { cron, on, webhook, batchJob } from "@mainstay/functions";
      cron("* * * * *", (run) => run.scheduledAt instanceof Date && run.scheduledAt.getTime());
      on("a", "insert", (change) => change.committedAt instanceof Date && [change.row, change.committedAt.getTime()]);
      batchJob("b", { size: 5 }, (payloads) => payloads);`);
    expect(await thread.run(0, { scheduledAt: "1970-01-01T00:00:01Z" })).toEqual({ value: 1_000 });
    expect(await thread.run(1, { row: { a: 1 }, committedAt: 5 })).toEqual({ value: [{ a: 1 }, 5] });
    expect(await thread.run(2, [1, 2])).toEqual({ value: [1, 2] });
  });
});
