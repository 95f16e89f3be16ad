import { describe, expect, test } from "vitest";
import { Problem } from "../../../kernel/problem.ts";
import { openForm } from "./form.ts";

const boundary = "----formBoundary7MA4YWxkTrZu0gW";
const type = `multipart/form-data; boundary=${boundary}`;

/** In pieces of so many bytes, as a network might bring it. */
async function* inPieces(bytes: Buffer, size = 7): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}
const part = (head: string, body: string | Buffer): Buffer =>
  Buffer.concat([Buffer.from(`--${boundary}\r\n${head}\r\n\r\n`), Buffer.from(body), Buffer.from("\r\n")]);
const field = (name: string, value: string) => part(`Content-Disposition: form-data; name="${name}"`, value);
const file = (body: string | Buffer, mime = "image/png", name = "") =>
  part(`Content-Disposition: form-data; name="${name}"; filename="a.png"\r\nContent-Type: ${mime}`, body);
const close = Buffer.from(`--${boundary}--\r\n`);

async function read(bytes: Buffer, size?: number, contentType = type) {
  const form = await openForm(contentType, inPieces(bytes, size));
  const before = new Map(form.fields);
  const chunks: Buffer[] = [];
  for await (const chunk of form.file) chunks.push(Buffer.from(chunk));
  await form.end();
  return { before, after: form.fields, bytes: Buffer.concat(chunks), contentType: form.contentType };
}

const refusal = async (bytes: Buffer, contentType?: string): Promise<string> => {
  try {
    await read(bytes, undefined, contentType);
  } catch (error) {
    if (error instanceof Problem) return error.message;
    throw error;
  }
  return "accepted";
};

describe("a form", () => {
  test("gives the file and the fields before and behind it, however it is cut", async () => {
    const body = Buffer.concat([
      field("cacheControl", "3600"),
      file("bytes\r\n--\r\n of it"),
      field("metadata", '{"a":"ü"}'),
      close,
    ]);
    for (const size of [1, 2, 3, 7, 64, body.length]) {
      const form = await read(body, size);
      expect(form.bytes.toString()).toBe("bytes\r\n--\r\n of it");
      expect(form.contentType).toBe("image/png");
      expect(form.before.get("cacheControl")).toBe("3600");
      expect(form.after.get("metadata")).toBe('{"a":"ü"}');
    }
  });

  test("may bring a file without bytes", async () => {
    expect((await read(Buffer.concat([file(""), close]))).bytes.length).toBe(0);
  });

  test("brings a large file unchanged, and holds none of it", async () => {
    const large = Buffer.alloc(3_000_000, "0123456789\r\n--");
    const form = await openForm(type, inPieces(Buffer.concat([file(large), close]), 65_536));
    let at = 0;
    for await (const chunk of form.file) {
      expect(large.subarray(at, at + chunk.length).equals(chunk)).toBe(true);
      at += chunk.length;
    }
    expect(at).toBe(large.length);
  });

  test("is read no faster than its file", async () => {
    let given = 0;
    async function* counting(): AsyncGenerator<Buffer> {
      yield Buffer.from(file("").subarray(0, -2));
      for (; given < 200; given++) yield Buffer.alloc(65_536, "x");
      yield Buffer.concat([Buffer.from("\r\n"), close]);
    }
    const form = await openForm(type, counting());
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(given).toBeLessThan(10);
    let size = 0;
    for await (const chunk of form.file) size += chunk.length;
    expect(size).toBe(200 * 65_536);
  });

  test("that is left early leaves the body", async () => {
    let isLeft = false;
    async function* endless(): AsyncGenerator<Buffer> {
      try {
        yield file("").subarray(0, -2);
        for (;;) yield Buffer.alloc(65_536, "x");
      } finally {
        isLeft = true;
      }
    }
    const form = await openForm(type, endless());
    for await (const _chunk of form.file) break;
    await expect.poll(() => isLeft).toBe(true);
  });

  test("passes on what the body throws", async () => {
    async function* broken(): AsyncGenerator<Buffer> {
      yield file("half").subarray(0, -2);
      throw new Problem("http/body-incomplete", 400, "gone");
    }
    const form = await openForm(type, broken());
    await expect(
      (async () => {
        for await (const _chunk of form.file);
      })(),
    ).rejects.toMatchObject({ code: "http/body-incomplete" });
  });
});

describe("S10: a form that is none", () => {
  test("has a boundary of more than 70 characters, or none", async () => {
    for (const bad of ["b".repeat(71), "b".repeat(252), "", '""', '"a\u0001"']) {
      expect(await refusal(close, `multipart/form-data; boundary=${bad}`)).toMatch(/boundary/);
    }
    expect(await refusal(close, "multipart/form-data")).toMatch(/boundary/);
  });

  test("has no file", async () => {
    expect(await refusal(Buffer.concat([field("metadata", "{}"), close]))).toMatch(/no file/);
    expect(await refusal(close)).toMatch(/no file|malformed/);
    expect(await refusal(Buffer.alloc(0))).toMatch(/malformed/);
  });

  test("has two files", async () => {
    expect(await refusal(Buffer.concat([file("a"), file("b"), close]))).toMatch(/more than one file/);
  });

  test("has too many fields, in front or behind", async () => {
    const many = Buffer.concat(Array.from({ length: 11 }, (_, at) => field(`f${at}`, "x")));
    expect(await refusal(Buffer.concat([many, file("a"), close]))).toMatch(/ten fields/);
    expect(await refusal(Buffer.concat([file("a"), many, close]))).toMatch(/ten fields/);
  });

  test("has a field that is too large", async () => {
    expect(await refusal(Buffer.concat([field("metadata", "x".repeat(1_100_000)), file("a"), close]))).toMatch(
      /ten fields/,
    );
  });

  test("does not end", async () => {
    const whole = Buffer.concat([field("cacheControl", "1"), file("some bytes of a file"), close]);
    for (let end = 0; end < whole.length - 4; end++) expect(await refusal(whole.subarray(0, end))).not.toBe("accepted");
  });

  test("is nested, or deep", async () => {
    expect(await refusal(Buffer.concat([file("--x\r\n\r\n--x--", "multipart/mixed; boundary=x"), close]))).toMatch(
      /multipart itself/,
    );
    const deep = Buffer.from(`--${boundary}\r\n`.repeat(1_000));
    expect(await refusal(Buffer.concat([deep, close]))).not.toBe("accepted");
  });

  test("has headers without end", async () => {
    const head = `Content-Disposition: form-data; name=""; filename="${"a".repeat(100_000)}"`;
    expect(await refusal(Buffer.concat([part(head, "x"), close]))).not.toBe("internal");
    const lines = "X: y\r\n".repeat(5_000);
    expect(
      await refusal(Buffer.concat([part(`${lines}Content-Disposition: form-data; name=""; filename="a"`, "x"), close])),
    ).toMatch(/no file/);
  });

  test("names fields as nobody should", async () => {
    const names = ["__proto__", "constructor", "", "a[b][c]", "a".repeat(10_000)];
    for (const name of names) {
      const form = await read(Buffer.concat([field(name, "x"), file("a"), close]));
      expect([...form.after.keys()]).toEqual([]);
    }
  });
});
