import { describe, expect, test } from "vitest";
import { chunksOf } from "./body.ts";

describe("chunks of a stream", () => {
  const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

  test("come as they are, but empty ones", async () => {
    const given = ["a", "", "b"];
    const stream = new ReadableStream<Uint8Array>({
      pull(controller) {
        const next = given.shift();
        if (next === undefined) controller.close();
        else controller.enqueue(bytes(next));
      },
    });
    const found: string[] = [];
    for await (const chunk of chunksOf(stream)) found.push(chunk.toString());
    expect(found).toEqual(["a", "b"]);
  });

  test("end at once for whoever leaves while nothing comes, and the stream is told", async () => {
    const told = Promise.withResolvers<string>();
    const stream = new ReadableStream<Uint8Array>({
      start: (controller) => controller.enqueue(bytes("a")),
      cancel: () => told.resolve("cancelled"),
    });
    const chunks = chunksOf(stream);
    await chunks.next();
    const waiting = chunks.next();
    await chunks.return?.();
    expect(await told.promise).toBe("cancelled");
    expect(await waiting).toEqual({ done: true, value: undefined });
  });

  test("cancel a stream that was never read, and one that gives anything but bytes", async () => {
    const told: string[] = [];
    await chunksOf(new ReadableStream({ cancel: () => void told.push("unread") })).return?.();
    const wrong = new ReadableStream({
      start: (controller) => controller.enqueue("text"),
      cancel: () => void told.push("wrong"),
    });
    await expect(chunksOf(wrong).next()).rejects.toThrow("only have Uint8Arrays");
    expect(told).toEqual(["unread", "wrong"]);
  });

  test("reject with what the stream breaks with", async () => {
    const stream = new ReadableStream<Uint8Array>({ pull: () => Promise.reject(new Error("broke")) });
    await expect(chunksOf(stream).next()).rejects.toThrow("broke");
  });
});
