import { expect, test } from "vitest";
import { requestOrigin } from "./origin.ts";

const host = "127.0.0.1:54321";

test.each([
  [{ host }, "http://127.0.0.1:54321"],
  [{ host: "[::1]:54321" }, "http://[::1]:54321"],
  [{ host, "x-forwarded-proto": "https" }, "https://127.0.0.1:54321"],
  [{ host, "x-forwarded-proto": "https", "x-forwarded-host": "api.example.com" }, "https://api.example.com"],
  [{ host, "x-forwarded-proto": "https, http", "x-forwarded-host": "a.example.com, b" }, "https://a.example.com"],
  [
    { host, "x-forwarded-proto": "HTTPS", "x-forwarded-host": "a.example", "x-forwarded-port": "443" },
    "https://a.example",
  ],
  [{ host, "x-forwarded-host": "a.example", "x-forwarded-port": "80" }, "http://a.example"],
  [{ host, "x-forwarded-host": "a.example", "x-forwarded-port": "8443" }, "http://a.example:8443"],
  [{ host, "x-forwarded-host": "a.example:1", "x-forwarded-port": "8443" }, "http://a.example:1"],
  [{ host, "x-forwarded-host": "a.example", "x-forwarded-prefix": "/mainstay/" }, "http://a.example/mainstay"],
  [{ host, "x-forwarded-host": "a.example", "x-forwarded-prefix": "/a/../b" }, "http://a.example"],
  [{ host, "x-forwarded-host": "a.example", "x-forwarded-prefix": "//evil.example" }, "http://a.example"],
  [{ host, "x-forwarded-host": "a.example", "x-forwarded-port": "1/x" }, "http://a.example"],
  [{ host, "x-forwarded-host": "evil.example/path" }, ""],
  [{ host, "x-forwarded-proto": "javascript" }, "http://127.0.0.1:54321"],
  [{ host: "user@evil.example" }, ""],
  [{ host: "a b" }, ""],
  [{}, ""],
])("by a proxy of ours that sends %j the caller came to %s", (headers, expected) => {
  expect(requestOrigin(headers, true)).toBe(expected);
});

test("A13 from anybody else only the host counts", () => {
  const forged = {
    host,
    "x-forwarded-proto": "https",
    "x-forwarded-host": "evil.example",
    "x-forwarded-port": "1",
    "x-forwarded-prefix": "/evil",
  };
  expect(requestOrigin(forged, false)).toBe("http://127.0.0.1:54321");
});
