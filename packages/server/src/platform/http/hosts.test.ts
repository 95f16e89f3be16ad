import { afterEach, describe, expect, test } from "vitest";
import { json, type RouteGroup } from "../../kernel/route.ts";
import { hostNameOf } from "./host.ts";
import {
  exchange,
  openTestServer,
  statusesOf,
  type TestServer,
  testBoundary,
  testGroup,
  testRoute,
} from "./test-server.ts";

let server: TestServer;
afterEach(() => server?.stop());

const say = (text: string, path = "*") => testRoute({ path, handle: (call) => json([text, call.path]) });
const hostGroup = (...hosts: string[]): RouteGroup => ({
  mount: "",
  boundary: testBoundary,
  cors: null,
  routes: [say(hosts[0]!)],
  hosts,
});
const ask = (host: string, path = "/t/v1/api", method = "GET") =>
  exchange(server.port, `${method} ${path} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`);

describe("a host name that belongs to a group", () => {
  test("is answered by it alone, whatever is asked", async () => {
    server = await openTestServer([
      testGroup([say("api", "/api")]),
      hostGroup("files.example.com", "www.files.example.com"),
    ]);
    for (const host of ["files.example.com", "FILES.example.com.", "files.example.com:8080", "www.files.example.com"]) {
      expect(await ask(host)).toContain('["files.example.com","/t/v1/api"]');
      expect(await ask(host, "/health/live")).toContain('["files.example.com","/health/live"]');
    }
    expect(statusesOf(await ask("files.example.com", "/t/v1/api", "POST"))).toEqual([405]);
    expect(await ask("files.example.com", "/t/v1/api", "HEAD")).toMatch(/^HTTP\/1\.1 200 [\s\S]*\r\n\r\n$/);
  });

  test("is no other name", async () => {
    server = await openTestServer([testGroup([say("api", "/api")]), hostGroup("files.example.com")]);
    for (const host of ["example.com", "files.example.com.evil", "xfiles.example.com", "127.0.0.1", "[::1]:80"]) {
      expect(await ask(host)).toContain('["api","/t/v1/api"]');
    }
  });

  test("may be claimed once", async () => {
    await expect(openTestServer([hostGroup("a.example"), hostGroup("a.example")])).rejects.toThrow("a.example");
  });
});

describe("a route for all the rest", () => {
  test("leaves to each mount what is under it", async () => {
    const rest: RouteGroup = { mount: "", boundary: testBoundary, cors: null, routes: [say("rest")] };
    server = await openTestServer([testGroup([say("api", "/api")]), rest]);
    expect(await ask("x", "/")).toContain('["rest","/"]');
    expect(await ask("x", "/a/b")).toContain('["rest","/a/b"]');
    expect(await ask("x", "/t/v10")).toContain('["rest","/t/v10"]');
    expect(await ask("x", "/t/v1/api")).toContain('["api","/t/v1/api"]');
    expect(statusesOf(await ask("x", "/t/v1/none"))).toEqual([404]);
    expect(statusesOf(await ask("x", "/t/v1/api", "DELETE"))).toEqual([405]);
    expect(statusesOf(await ask("x", "/a", "DELETE"))).toEqual([405]);
  });
});

test.each([
  [undefined, ""],
  ["", ""],
  ["a.example", "a.example"],
  ["A.Example.:80", "a.example"],
  ["[::1]:80", "[::1]"],
  ["[::1", ""],
])("the name in %j is %j", (header, name) => {
  expect(hostNameOf(header)).toBe(name);
});
