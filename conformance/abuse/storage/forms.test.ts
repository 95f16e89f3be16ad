import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { inParallel } from "../send.ts";
import { annId, type FilesServer, people, startFiles } from "./server.ts";

/** Threat S10: forms that are none, at both entrances that take forms. */
let files: FilesServer;
beforeAll(async () => {
  files = await startFiles();
});
afterAll(() => files.stop());

const part = (head: string, body = "x"): string => `--b\r\n${head}\r\n\r\n${body}\r\n`;
const file = part(`Content-Disposition: form-data; name=""; filename="a.txt"\r\nContent-Type: text/plain`, "hello");
const field = (name: string, value = "x"): string => part(`Content-Disposition: form-data; name="${name}"`, value);
const nested = (depth: number): string =>
  depth === 0
    ? "x"
    : `--b${depth}\r\nContent-Type: multipart/mixed; boundary=b${depth - 1}\r\n\r\n${depth > 50 ? "x" : nested(depth - 1)}\r\n--b${depth}--`;
const good = `${field("cacheControl", "60")}${file}--b--\r\n`;
const type = "multipart/form-data; boundary=b";

const send = (body: string | Buffer, contentType = type, name = "form") =>
  files.send("PUT", `/object/own/${annId}/${name}`, { as: people.ann, body, headers: { "content-type": contentType } });

const broken: Readonly<Record<string, readonly [body: string, contentType?: string]>> = {
  "no boundary": [good, "multipart/form-data"], "an empty boundary": [good, "multipart/form-data; boundary="], "a quoted empty boundary": [good, 'multipart/form-data; boundary=""'],
  "a boundary of 71": [good.replaceAll("--b", `--${"b".repeat(71)}`), `multipart/form-data; boundary=${"b".repeat(71)}`], "a boundary of 252": [good.replaceAll("--b", `--${"b".repeat(252)}`), `multipart/form-data; boundary=${"b".repeat(252)}`],
  "a boundary with a line": [good, "multipart/form-data; boundary=b\tc"], "two boundaries": [good, "multipart/form-data; boundary=c; boundary=d"], "another boundary": [good, "multipart/form-data; boundary=c"],
  nothing: [""], "only the end": ["--b--\r\n"], "no end": [file.slice(0, -2)], "no end of the head": ["--b\r\nContent-Disposition: form-data; name=a"], "no file": [`${field("a")}--b--\r\n`], "two files": [`${file}${file}--b--\r\n`],
  "eleven fields": [`${field("a").repeat(11)}${file}--b--\r\n`], "a thousand fields": [`${field("a").repeat(1_000)}${file}--b--\r\n`], "ten thousand empty parts": [`${"--b\r\n\r\n\r\n".repeat(10_000)}${file}--b--\r\n`],
  "a field of 2 MB": [`${field("metadata", "x".repeat(2_000_000))}${file}--b--\r\n`], "a head of 100 KB": [`${part(`Content-Disposition: form-data; name="a"; x="${"y".repeat(100_000)}"`)}--b--\r\n`],
  "a thousand headers": [`${part(`Content-Disposition: form-data; name="a"\r\n${"X-A: b\r\n".repeat(1_000)}X: y`)}--b--\r\n`], "no disposition": [`${part("Content-Type: text/plain")}--b--\r\n`], "an empty head": [`${part("")}--b--\r\n`],
  "a form in the form": [`${part('Content-Disposition: form-data; name=""; filename="a"\r\nContent-Type: multipart/mixed; boundary=c', "--c\r\n\r\nx\r\n--c--")}--b--\r\n`], "fifty forms in forms": [`${part("Content-Type: multipart/mixed; boundary=b50", nested(50))}--b--\r\n`],
  "a boundary in pieces": [`${"--".repeat(100_000)}`], "carriage returns": ["\r".repeat(100_000)], "lines": ["\r\n".repeat(100_000)], "boundaries without ends": ["\r\n--b".repeat(50_000)], "zeros": ["\0".repeat(100_000)], "metadata that is none": [`${field("metadata", "{")}${file}--b--\r\n`],
}; // biome-ignore format: a table

describe("S10 forms", () => {
  test("S10 S08 that are none are refused, and nothing of them stays", async () => {
    const before = await files.snapshot();
    for (const [what, [body, contentType]] of Object.entries(broken)) {
      const answer = await send(body, contentType);
      expect.soft(answer.status, `${what}: ${answer.text.slice(0, 200)}`).toBe(400);
    }
    await expect.poll(() => files.snapshot()).toEqual(before);
    expect((await send(good)).status).toBe(200);
    expect(files.failures()).toEqual([]);
  });

  test("S10 names that are prototypes, empty or strange are fields like any other", async () => {
    for (const name of [
      "",
      "__proto__",
      "constructor",
      "toString",
      "a[b][c]",
      `a${"[b]".repeat(1_000)}`,
      "a.b.c",
      "metadata[a]",
      "\u{1f4a9}",
      "x".repeat(5_000),
    ]) {
      const answer = await send(`${field(name)}${file}--b--\r\n`);
      expect.soft([name.slice(0, 20), answer.status], answer.text).toEqual([name.slice(0, 20), 200]);
    }
    const got = await files.send("GET", `/object/own/${annId}/form`, { as: people.ann });
    expect(got.text).toBe("hello");
  });

  test("S10 a thousand changed ones: no failure, and what is taken in is a whole file", async () => {
    const count = Number(process.env.MAINSTAY_STORAGE_FORMS ?? 1_000);
    let state = Number(process.env.MAINSTAY_FUZZ_SEED ?? 1);
    const next = (below: number): number => {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
      return Math.floor((state / 2 ** 32) * below);
    };
    const pieces = ["--b", "--b--", "\r\n", "\r", "\n", "\r\n\r\n", ": ", ";", '"', "\0", "\u00ff", "name=", "filename=", "filename*=UTF-8''%ff", "Content-Disposition: form-data", "Content-Type: multipart/mixed; boundary=b", "Content-Transfer-Encoding: base64", "-".repeat(300)]; // biome-ignore format: a table
    const changed = (): Buffer => {
      let bytes = Buffer.from(good, "latin1");
      for (let left = 1 + next(4); left > 0; left--) {
        const at = next(bytes.length);
        const to = Math.min(bytes.length, at + next(30));
        const piece = Buffer.from(pieces[next(pieces.length)]!, "latin1");
        switch (next(5)) {
          case 0: bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(to)]); break;
          case 1: bytes = Buffer.concat([bytes.subarray(0, at), piece, bytes.subarray(at)]); break;
          case 2: bytes = Buffer.concat([bytes.subarray(0, at), piece, bytes.subarray(to)]); break;
          case 3: bytes = Buffer.concat([bytes.subarray(0, to), bytes.subarray(at)]); break;
          default: bytes = bytes.subarray(0, to);
        }
        if (bytes.length === 0) break;
      } // biome-ignore format: one line each
      return bytes;
    };
    const link = await files.send("POST", `/object/upload/sign/own/${annId}/by-link`, {
      as: people.ann,
      json: {},
      headers: { "x-upsert": "true" },
    });
    const { token } = JSON.parse(link.text) as { token: string };
    const faults: string[] = [];
    await inParallel(Array.from({ length: count }, changed), 8, async (body, at) => {
      const answer =
        at % 2 === 0
          ? await send(body, type, `fuzz-${at % 16}`)
          : await files.send("PUT", `/object/upload/sign/own/${annId}/by-link?token=${token}`, {
              as: null,
              body,
              headers: { "content-type": type },
            });
      if (answer.status !== 200 && answer.status !== 400)
        faults.push(`${answer.status} ${answer.text}: ${JSON.stringify(body.toString("latin1"))}`);
    });
    expect(faults).toEqual([]);
    expect(files.failures()).toEqual([]);
    expect(await files.leaks()).toEqual([]);
    // No upload is left open, and every object has its bytes.
    await expect.poll(() => files.sql("select id from mainstay.object_versions where state = 'receiving'")).toEqual([]);
    const sizes = await files.sql(`select o.name from storage.objects o where (o.metadata ->> 'size')::int <>
      (select sum(s.size_bytes) from mainstay.object_segments s where s.version_id = o.version and not s.is_dead)`);
    expect(sizes).toEqual([]);
  }, 120_000);
});
