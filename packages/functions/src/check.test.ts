import { afterEach, describe, expect, it } from "vitest";
import { definitions } from "./definition.ts";
import * as functions from "./index.ts";

afterEach(() => void definitions().splice(0));

/** As whoever writes without types may call them. */
type Loose = Readonly<
  Record<"serve" | "job" | "batchJob" | "cron" | "on" | "webhook", (...args: unknown[]) => unknown>
>;
const { serve, job, batchJob, cron, on, webhook } = functions as unknown as Loose;
const handler = () => new Response();

describe("a definition that is wrong is told where it stands, and is none", () => {
  it.each<[string, () => unknown]>([
    ["serve: the last argument must be the function that does it.", () => serve({ verifyJwt: false })],
    ["serve: verifyJwt must be true or false.", () => serve({ verifyJwt: "no" }, handler)],
    ["serve: sharedBy must be a number above 0.", () => serve({ sharedBy: 0 }, handler)],
    ["serve: options must be an object, before the function.", () => serve("hello", handler)],
    ['job("a"): the last argument must be the function that does it.', () => job("a")],
    ['job("a"): timeoutMs must be a number above 0.', () => job("a", { timeoutMs: "5s" }, handler)],
    ['job(""): the name must be a text.', () => job("", handler)],
    ['batchJob("a"): the last argument must be the function that does it.', () => batchJob("a", handler)],
    ['batchJob("a"): options must have a size.', () => batchJob("a", {}, handler)],
    ["cron(5): the expression must be a text, such as `0 8 * * *`.", () => cron(5, handler)],
    ['cron("@daily"): missed must be one of once, all, skip.', () => cron("@daily", { missed: "never" }, handler)],
    ['on("a"): operations are insert, update, delete, a list of these, or *.', () => on("a", "upsert", handler)],
    ['on("a"): operations are insert, update, delete, a list of these, or *.', () => on("a", [], handler)],
    ['on("a"): operations are insert, update, delete, a list of these, or *.', () => on("a", undefined, handler)],
    ['on("a"): the last argument must be the function that does it.', () => on("a", "*")],
    [
      "webhook: options must have a secret: its name in functions/.env.",
      () => webhook({ provider: "stripe" }, handler),
    ],
    [
      "webhook: provider must be one of stripe, github, standard, hmac.",
      () => webhook({ provider: "x", secret: "S" }, handler),
    ],
    [
      "webhook: of hmac, options must have signature.header.",
      () => webhook({ provider: "hmac", secret: "S" }, handler),
    ],
  ])("%s", (message, define) => {
    expect(define).toThrow(new TypeError(message));
    expect(definitions()).toEqual([]);
  });

  it("takes what is right", () => {
    serve(handler);
    job("a", { maxAttempts: 3, queue: "q" }, handler);
    batchJob("b", { size: 5 }, handler);
    cron("@daily", { missed: "all", timeZone: "UTC" }, handler);
    on("t", "*", { order: "none", columns: ["a"] }, handler);
    webhook({ provider: "hmac", secret: "S", signature: { header: "x" } }, handler);
    expect(definitions().map(({ kind }) => kind)).toEqual(["http", "job", "batch", "cron", "change", "webhook"]);
  });
});
