import { expect, test } from "vitest";
import { createEndpoints, type EndpointPlace } from "./endpoints.ts";
import { retryAfterMs, storable } from "./retry-after.ts";

test("X12 an endpoint that fails is left alone, then asked with one message; others go on", () => {
  let nowMs = 0;
  const endpoints = createEndpoints({ webhookBreakerFailures: 3 }, () => nowMs);
  const enter = (id = "a") => endpoints.enter(id) as EndpointPlace;
  const places = [enter(), enter(), enter()];
  for (const place of places) {
    place.failed(null);
    place.leave();
  }
  const waitMs = endpoints.enter("a");
  expect(waitMs).toBeGreaterThan(0);
  expect(typeof endpoints.enter("b")).toBe("object");
  nowMs += 2_000;
  const trial = enter();
  expect(typeof trial).toBe("object");
  // One is under way: the others wait for what comes of it.
  expect(endpoints.enter("a")).toBeGreaterThanOrEqual(1_000);
  trial.succeeded();
  trial.leave();
  expect([enter(), enter(), enter()].every((place) => typeof place === "object")).toBe(true);
});

test("an endpoint that asks to wait is not asked before, from the first time on", () => {
  let nowMs = 0;
  const endpoints = createEndpoints({ webhookBreakerFailures: 100 }, () => nowMs);
  const place = endpoints.enter("a") as EndpointPlace;
  place.failed(30_000);
  place.leave();
  expect(endpoints.enter("a")).toBeGreaterThanOrEqual(30_000);
  nowMs = 30_001;
  expect(typeof endpoints.enter("a")).toBe("object");
});

test("Retry-After is seconds or a date, and is bounded", () => {
  const of = (value: string) => retryAfterMs(new Headers({ "retry-after": value }), 1_000_000, 60_000);
  expect(of("7")).toBe(7_000);
  expect(of(new Date(1_005_000).toUTCString())).toBe(5_000);
  expect(of(new Date(0).toUTCString())).toBe(0);
  expect(of("99999999")).toBe(60_000);
  for (const none of ["", "soon", "-1x", "1e99999"]) expect(of(none)).toBeNull();
  expect(storable("a\u0000b")).toBe("ab");
});
