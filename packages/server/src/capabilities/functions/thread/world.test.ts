import { afterEach, expect, test } from "vitest";
import { openThread, type TestThread, type TestThreadOptions } from "./harness.testing.ts";

const threads: TestThread[] = [];
afterEach(async () => {
  await Promise.all(threads.splice(0).map((thread) => thread.stop()));
});
const open = async (source: string, options?: TestThreadOptions): Promise<TestThread> => {
  const thread = await openThread(source, options);
  threads.push(thread);
  return thread;
};

test("a default export answers", async () => {
  const thread = await open(`export default async (request, ctx) => {
    console.log("hi %s", request.method, { a: 1 });
    return Response.json({ got: await request.json(), id: ctx.requestId, greeting: ctx.secrets.GREETING, user: ctx.user });
  }`);
  expect(thread.definitions).toEqual([{ kind: "http", options: {} }]);
  const outcome = await thread.request({ body: '{"x":1}' }, { id: "r1" });
  expect(outcome).toEqual({
    status: 200,
    headers: ["content-type", "application/json"],
    body: '{"got":{"x":1},"id":"r1","greeting":"hello","user":null}',
  });
  expect(thread.lines).toEqual([{ invocation: "r1", level: "info", message: "hi POST { a: 1 }" }]);
});
