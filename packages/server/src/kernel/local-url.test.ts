import { expect, it } from "vitest";
import { localUrl } from "./local-url.ts";

it.each([
  ["127.0.0.1", "http://127.0.0.1:54321"],
  ["192.0.2.7", "http://192.0.2.7:54321"],
  ["localhost", "http://localhost:54321"],
  ["0.0.0.0", "http://127.0.0.1:54321"],
  ["::", "http://127.0.0.1:54321"],
  ["::1", "http://[::1]:54321"],
])("listening on %s is reached at %s", (host, url) => {
  expect(localUrl(host, 54_321)).toBe(url);
});
