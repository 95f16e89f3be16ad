import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { SettingError } from "../../kernel/settings.ts";
import { createCallOut, NotListeningError, webhookGuard } from "./destination.ts";
import { openReceiver, type Receiver } from "./receiver.testing.ts";

let server: Receiver;
let other: Receiver;
beforeEach(async () => {
  server = await openReceiver();
  other = await openReceiver();
});
afterEach(() => Promise.all([server.close(), other.close()]));

const call = (url: string, listensAt: string | null = new URL(server.url).origin, allowed: readonly string[] = []) =>
  createCallOut(webhookGuard(allowed), { listensAt: () => listensAt, publicUrl: "https://api.example.com" })(url, {
    timeoutMs: 2_000,
    maxBytes: 100,
  });

describe("X01 where a URL of an app leads", () => {
  test.each([
    "http://127.0.0.1:54321",
    "http://localhost:54321",
    "http://host.docker.internal:54321",
    "http://kong:8000",
    "http://KONG:8000",
    "https://api.example.com",
    "https://api.example.com:443",
  ])("%s is this server, wherever it listens", async (origin) => {
    await call(`${origin}/functions/v1/hello?a=1`);
    expect(server.received.map(({ url }) => url)).toEqual(["/functions/v1/hello?a=1"]);
  });

  test("this server's own port on this machine is this server, and no other port is", async () => {
    await call(`http://localhost:${server.port}/x`);
    expect(server.received).toHaveLength(1);
    for (const host of ["127.0.0.1", "localhost", "[::1]", "0.0.0.0", "2130706433", "127.1"]) {
      await expect(call(`http://${host}:${other.port}/`), host).rejects.toMatchObject({ reason: "address" });
    }
    expect(other.received).toEqual([]);
  });

  test("what looks like our names is not us", async () => {
    for (const url of [
      `http://kong:8000@127.0.0.1:${other.port}/`,
      `http://127.0.0.1:54321@127.0.0.1:${other.port}/`,
      `http://127.0.0.1:54321#@127.0.0.1:${other.port}/`,
    ]) {
      await call(url).catch(() => {});
    }
    expect(other.received).toEqual([]);
  });

  test("hosts that the operator names are reached, at the port that is named", async () => {
    const allowed = [`127.0.0.1:${other.port}`];
    expect((await call(other.url, null, allowed)).status).toBe(204);
    await expect(call(`http://127.0.0.1:${server.port}/`, null, allowed)).rejects.toMatchObject({ reason: "address" });
    expect(() => webhookGuard(["not a host"])).toThrow(SettingError);
  });

  test("while this server does not listen, it says so", async () => {
    await expect(call("http://kong:8000/", null)).rejects.toBeInstanceOf(NotListeningError);
  });
});
