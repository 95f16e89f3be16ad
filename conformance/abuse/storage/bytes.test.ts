import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { inParallel } from "../send.ts";
import { type Answer, exchange, hangUp, rawExchange } from "./http.ts";
import { annId, type FilesServer, meantStatus, people, startFiles, tusHeaders, uploadPath } from "./server.ts";

/** Threats S08, S09, X07 and X08: what a connection may do with bytes. */
let files: FilesServer;
let host: string;
const content = Buffer.from(Array.from({ length: 1_000 }, (_, at) => at % 251));
const large = Buffer.alloc(3_000_000, "large ");
let tus: string;
beforeAll(async () => {
  files = await startFiles({ storageUploadTimeoutSeconds: 2, storageUserQuotaBytes: 100_000_000 });
  host = new URL(files.url).host;
  await files.upload(files.serviceRoleKey, "open/a.bin", content);
  await files.upload(files.serviceRoleKey, "open/large.bin", large);
  await files.upload(people.ann, `own/${annId}/a.bin`, content);
  tus = uploadPath(await files.tusCreate(people.ann, { bucket: "own", name: `${annId}/tus`, bytes: 100_000 }));
});
afterAll(() => files.stop());

const isAlive = async (): Promise<void> => {
  const answer = await files.send("GET", "/object/public/open/a.bin", { as: null });
  expect([answer.status, answer.bytes.equals(content)]).toEqual([200, true]);
};

describe("S09 ranges", () => {
  const ranges = [
    "bytes=9-1", "bytes=-0", "bytes=-", "bytes=", "bytes", "", "bytes=0-", "bytes=0-0", "bytes=999-", "bytes=1000-", "bytes=-1", "bytes=-1000", "bytes=-99999999999999999999",
    "bytes=0-99999999999999999999", "bytes=99999999999999999999-", "bytes=18446744073709551615-18446744073709551616", "bytes=-1-5", "bytes=5--1", "bytes=1.5-2", "bytes=1e1-20", "bytes=0x1-0x5",
    "bytes=a-b", "bytes=+1-5", "bytes= 1-5", "bytes =1-5", "bytes=1 - 5", "bytes=1-5,", "bytes=,1-5", "bytes=,,,,", "bytes=1-5,10-20,-5", "bytes=0-0,0-0,0-0", "bytes=0-999,0-999",
    "items=0-5", "BYTES=0-5", "bytes:0-5", "bytes=0-5;x", "bytes=0-5\t,6-7", "none", "seconds=1-2", "bytes=\u00e9-5", `bytes=${"0-0,".repeat(1_000)}0-0`, `bytes=${Array.from({ length: 1_000 }, (_, at) => `${at}-${at}`).join(",")}`,
    `bytes=${"9".repeat(2_000)}-`, `bytes=${",".repeat(3_000)}`, `bytes=0-${"9".repeat(2_000)}`, "bytes=NaN-NaN", "bytes=Infinity-", "bytes=__proto__-", "bytes=500-600,0-10", "bytes=1000-2000,5-6",
  ]; // biome-ignore format: a table

  test("S09 of any kind, at every way out, are answered with bytes of the file or not at all", async () => {
    const ways: readonly ((headers: Record<string, string>) => Promise<Answer>)[] = [
      (headers) => files.send("GET", "/object/public/open/a.bin", { as: null, headers }),
      (headers) => files.send("GET", `/object/authenticated/own/${annId}/a.bin`, { as: people.ann, headers }),
      (headers) => files.send("HEAD", "/object/public/open/a.bin", { as: null, headers }),
      (headers) => files.s3("GET", "/open/a.bin", { headers }),
      (headers) =>
        files.s3("PUT", "/open/part-of-a", {
          headers: { "x-amz-copy-source": "/open/a.bin", "x-amz-copy-source-range": headers.range! },
        }),
    ];
    for (const range of ranges) {
      for (const more of [{}, { "if-range": '"x"' }, { "if-range": "x".repeat(3_000) }]) {
        // What comes with a range is read in one place for all.
        await inParallel("if-range" in more ? ways.slice(0, 1) : ways, ways.length, async (way) => {
          const answer = await way({ range, ...more });
          const label = `${range.slice(0, 60)} ${JSON.stringify(more).slice(0, 30)}`;
          expect.soft([200, 206, 400, 416, 501], `${label}: ${answer.status}`).toContain(answer.status);
          expect.soft(answer.bytes.length, label).toBeLessThan(20_000);
          const [, from, to] = /^bytes (\d+)-(\d+)\/1000$/.exec(String(answer.headers["content-range"])) ?? [];
          if (answer.status === 206 && from !== undefined && answer.bytes.length > 0) {
            expect.soft(answer.bytes.equals(content.subarray(Number(from), Number(to) + 1)), label).toBe(true);
          }
        });
      }
    }
    await isAlive();
    expect(files.failures()).toEqual([]);
  });
});

/** A request as it is on the wire. */
const wire = (method: string, path: string, headers: Readonly<Record<string, string>>, body: Buffer): Buffer => {
  const lines = Object.entries({ host, "content-length": String(body.length), ...headers }).map(
    ([name, value]) => `${name}: ${value}\r\n`,
  );
  return Buffer.concat([Buffer.from(`${method} /storage/v1${path} HTTP/1.1\r\n${lines.join("")}\r\n`, "latin1"), body]);
};
const asAnn = { authorization: `Bearer ${people.ann}` };
const form = Buffer.from(
  `--b\r\nContent-Disposition: form-data; name=""; filename="a"\r\nContent-Type: text/plain\r\n\r\nabcdefghij\r\n--b--\r\n`,
);
const chunked = Buffer.from("5\r\nabcde\r\n5\r\nfghij\r\n0\r\n\r\n");

describe("S08 S09 a line that breaks", () => {
  test("S08 S09 at every byte of an upload, whichever way, leaves no file and no byte", async () => {
    const place = `/object/own/${annId}/broken`;
    const requests: readonly Buffer[] = [
      wire("PUT", place, { ...asAnn, "content-type": "text/plain" }, Buffer.from("abcdefghij")),
      wire("POST", place, { ...asAnn, "content-type": "multipart/form-data; boundary=b" }, form),
      Buffer.concat([
        wire("PUT", place, asAnn, Buffer.alloc(0)).subarray(0, 0),
        Buffer.from(
          `PUT /storage/v1${place} HTTP/1.1\r\nhost: ${host}\r\nauthorization: ${asAnn.authorization}\r\ntransfer-encoding: chunked\r\n\r\n`,
        ),
        chunked,
      ]),
    ];
    const before = await files.snapshot();
    for (const request of requests) {
      const head = request.indexOf("\r\n\r\n") + 4;
      // Every byte of what comes behind the head, and some of the head itself.
      const cuts = [...Array(request.length - head).keys()].map((at) => head + at);
      for (let at = 0; at < head; at += 29) cuts.push(at);
      await inParallel(cuts, 8, (at) => hangUp(files.url, request, at));
    }
    await isAlive();
    await expect.poll(() => files.snapshot()).toEqual(before);
    expect(files.failures()).toEqual([]);
  });

  test("S09 at every byte of a download, and of many ranges, costs nobody anything", async () => {
    const ask = (path: string, headers: Record<string, string> = {}) =>
      wire("GET", path, { connection: "close", ...headers }, Buffer.alloc(0));
    const cuts = [
      0, 1, 2, 3, 10, 50, 100, 200, 300, 400, 500, 600, 700, 1_000, 1_300, 20_000, 65_536, 65_537, 100_000, 1_000_000,
      2_999_999, 3_000_000,
    ];
    await inParallel([...cuts, ...Array.from({ length: 100 }, (_, at) => at * 17)], 8, async (cutAfterBytes) => {
      for (const request of [
        ask("/object/public/open/a.bin"),
        ask("/object/public/open/large.bin"),
        ask("/object/public/open/large.bin", { range: "bytes=1-1000000,1500000-2500000" }),
      ]) {
        await rawExchange(files.url, request, {
          cutAfterBytes: Math.max(1, cutAfterBytes),
          isEnough: (text) => text.length >= 900 && cutAfterBytes < 900,
        });
        if (cutAfterBytes > 1_000) break;
      }
    });
    await isAlive();
    const whole = await files.send("GET", "/object/public/open/large.bin", { as: null });
    expect(whole.bytes.equals(large)).toBe(true);
    expect(files.failures()).toEqual([]);
  }, 120_000);

  test("S09 S12 in a resumable upload keeps what came and nothing else", async () => {
    const body = Buffer.from("0123456789".repeat(10));
    for (const at of [0, 1, 9, 50, 99]) {
      const offset = Number((await files.send("HEAD", tus, { headers: tusHeaders(0) })).headers["upload-offset"]);
      const request = wire("PATCH", tus, { ...asAnn, ...tusHeaders(offset) }, body);
      await hangUp(files.url, request, request.length - body.length + at);
      await expect
        .poll(async () => Number((await files.send("HEAD", tus, { headers: tusHeaders(0) })).headers["upload-offset"]))
        .toBeGreaterThanOrEqual(offset);
    }
    const ended = await files.send("DELETE", tus, { as: people.ann, headers: tusHeaders(0) });
    expect(ended.status).toBe(204);
    await expect
      .poll(() =>
        files.sql(
          "select blob_id from mainstay.object_segments s join mainstay.object_versions v on v.id = s.version_id where v.state <> 'kept' and v.upload is not null",
        ),
      )
      .toEqual([]);
    await isAlive();
  });
});

describe("X08 requests that two readers read differently", () => {
  const inner = `GET /storage/v1/object/own/${annId}/a.bin HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${people.ann}\r\n\r\n`;
  const put = (headers: string, body: string): string =>
    `PUT /storage/v1/object/own/${annId}/smuggled HTTP/1.1\r\nHost: localhost\r\nAuthorization: ${asAnn.authorization}\r\n${headers}\r\n${body}`;
  const last = `GET /storage/v1/version HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`;
  const list: Readonly<Record<string, string>> = {
    "length and chunks": put("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", `0\r\n\r\n${inner}`),
    "chunks and length": put("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", `0\r\n\r\n${inner}`),
    "two lengths": put("Content-Length: 5\r\nContent-Length: 50\r\n", `hello${inner}`),
    "a list of lengths": put("Content-Length: 5, 5\r\n", `hello${inner}`),
    "a signed length": put("Content-Length: +5\r\n", `hello${inner}`),
    "a negative length": put("Content-Length: -5\r\n", `hello${inner}`),
    "a length in hex": put("Content-Length: 0x5\r\n", `hello${inner}`),
    "a length too long": put("Content-Length: 99999999999999999999\r\n", `hello${inner}`),
    "chunked twice": put("Transfer-Encoding: chunked, chunked\r\n", `0\r\n\r\n${inner}`),
    "chunked in disguise": put("Transfer-Encoding: xchunked\r\n", `0\r\n\r\n${inner}`),
    "chunked behind a tab": put("Transfer-Encoding:\tchunked\x0b\r\n", `0\r\n\r\n${inner}`),
    "identity and chunks": put("Transfer-Encoding: identity, chunked, identity\r\n", `0\r\n\r\n${inner}`),
    "a space before the colon": put("Transfer-Encoding : chunked\r\n", `0\r\n\r\n${inner}`),
    "a folded header": put("X: a\r\n Transfer-Encoding: chunked\r\n", `0\r\n\r\n${inner}`),
    "a bare line feed": put("X: a\nTransfer-Encoding: chunked\r\n", `0\r\n\r\n${inner}`),
    "a bare carriage return": put("X: a\rTransfer-Encoding: chunked\r\n", `0\r\n\r\n${inner}`),
    "a NUL": put("X: a\0b\r\nContent-Length: 5\r\n", "hello"),
    "a bad chunk": put("Transfer-Encoding: chunked\r\n", `zz\r\nhello\r\n0\r\n\r\n${inner}`),
    "a chunk too long": put("Transfer-Encoding: chunked\r\n", `ffffffffffffffffff\r\nhello\r\n0\r\n\r\n${inner}`),
    "a negative chunk": put("Transfer-Encoding: chunked\r\n", `-5\r\nhello\r\n0\r\n\r\n${inner}`),
    "a chunk without end": put("Transfer-Encoding: chunked\r\n", `5\r\nhelloworld\r\n0\r\n\r\n${inner}`),
    "a chunk of line feeds": put("Transfer-Encoding: chunked\r\n", `5\nhello\n0\n\n${inner}`),
    "two hosts": put("Host: evil\r\nContent-Length: 5\r\n", "hello"),
  };
  test("X08 S08 are refused, end the connection, and store nothing", async () => {
    const before = await files.snapshot();
    for (const [what, bytes] of Object.entries(list)) {
      // Behind it one more that is in order, and the last: whoever kept the line open answers that, and ends it.
      const text = await rawExchange(files.url, `${bytes}${last}`);
      const [status = 0] = [...text.matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, each]) => Number(each));
      expect.soft(status === 0 || status >= 400, `${what}: ${text.slice(0, 300)}`).toBe(true);
      expect.soft(text, what).not.toContain("application/octet-stream");
    }
    await expect.poll(() => files.snapshot()).toEqual(before);
    await isAlive();
  }, 120_000);
});

describe("S06 what unpacks to more", () => {
  test("S06 S08 a body that says it is packed is never larger than its bucket allows", async () => {
    const bomb = gzipSync(Buffer.alloc(20_000_000));
    const twice = gzipSync(bomb);
    const before = await files.snapshot();
    const json = await files.send("POST", "/object/list/open", {
      headers: { "content-type": "application/json", "content-encoding": "gzip" },
      body: bomb,
    });
    expect(json.status).toBeLessThan(500);
    for (const [encoding, body] of [
      ["gzip", bomb],
      ["gzip, gzip", twice],
      ["gzip", bomb.subarray(0, 100)],
      ["br", bomb],
      ["deflate", bomb],
      ["x-unknown", bomb],
      ["gzip", Buffer.from("no gzip")],
    ] as const) {
      for (const type of ["text/plain", "multipart/form-data; boundary=b"]) {
        const answer = await files.send("PUT", `/object/small/${annId}/bomb`, {
          as: people.ann,
          body,
          headers: { "content-type": type, "content-encoding": encoding },
        });
        expect.soft(answer.status, `${encoding} ${type}: ${answer.text}`).toBeLessThan(500);
        const [row] = await files.sql<{ size: number }>(
          "select (metadata ->> 'size')::int as size from storage.objects where bucket_id = 'small'",
        );
        expect.soft(row?.size ?? 0).toBeLessThanOrEqual(1_000);
        await files.send("DELETE", `/object/small/${annId}/bomb`, { as: people.ann });
      }
    }
    const objects = (state: unknown): unknown => (state as { rows: { objects: unknown } }).rows.objects;
    expect(objects(await files.snapshot())).toEqual(objects(before));
    expect(files.failures()).toEqual([]);
  });
});

describe("X07 who is slow", () => {
  test("X07 an upload has its time, and what came of it goes", async () => {
    const before = await files.snapshot();
    const head = `PUT /storage/v1/object/own/${annId}/slow HTTP/1.1\r\nhost: ${host}\r\nauthorization: ${asAnn.authorization}\r\ncontent-length: 1000\r\n\r\nabc`;
    // Nothing more is sent: whoever waits longer than the setting would wait for ever.
    const answers = await Promise.all(Array.from({ length: 20 }, () => rawExchange(files.url, head)));
    for (const text of answers) expect(text).toMatch(/^HTTP\/1\.1 4\d\d|^$/);
    const open = (state: unknown) => (state as { rows: { objects: unknown } }).rows.objects;
    expect(open(await files.snapshot())).toEqual(open(before));
    await isAlive();
  }, 120_000);

  test("X07 fifty who do not read leave everybody else their files", async () => {
    const cuts: AbortController[] = [];
    const asks = Array.from({ length: 50 }, () => {
      const cut = new AbortController();
      cuts.push(cut);
      return fetch(`${files.url}/storage/v1/object/public/open/large.bin`, { signal: cut.signal });
    });
    const silent = await Promise.all(asks);
    expect(silent.every(({ status }) => status === 200)).toBe(true);
    await inParallel(Array.from({ length: 100 }), 8, isAlive);
    for (const cut of cuts) cut.abort();
    expect(files.failures()).toEqual([]);
  });
});

describe("S09 anything at all", () => {
  test("S09 X09 random requests to every route: no failure, no word of ours", async () => {
    const count = Number(process.env.MAINSTAY_STORAGE_FUZZ_REQUESTS ?? 1_500);
    let state = Number(process.env.MAINSTAY_FUZZ_SEED ?? 1);
    const next = (below: number): number => {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
      return Math.floor((state / 2 ** 32) * below);
    };
    const pick = <T>(list: readonly T[]): T => list[next(list.length)]!;
    const methods = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND"];
    const routes = ["/object", "/object/open", "/object/sign", "/object/upload/sign", "/object/public", "/object/authenticated", "/object/info", "/object/info/public", "/object/list", "/object/list-v2", "/object/move", "/object/copy", "/bucket", "/render/image/public", "/render/image/authenticated", "/render/image/sign", "/upload/resumable", "/upload/resumable/sign", "/s3", "/s3/open", "/site", "/cdn", "/iceberg", "/vector", "/status", "/version", ""]; // biome-ignore format: a table
    const words = ["open", "own", annId, "a.bin", "..", "%2e%2e", "%00", "%ff", "*", "?", "?token=a.b.c", "?width=1", "?uploads", "?uploadId=x", "?list-type=2", "?delete", "?versions", "?X-Amz-Signature=x", "?download=%0d%0a", "?apikey=x", "//", "a".repeat(2_000), "\u{1f4a9}", "empty"]; // biome-ignore format: a table
    const headers: readonly (readonly [string, string])[] = [
      ["content-type", "application/json"], ["content-type", "multipart/form-data"], ["content-type", "multipart/form-data; boundary="], ["content-type", "multipart/form-data; boundary=b"], ["content-type", "\u00e9"], ["content-type", "application/offset+octet-stream"], ["content-type", "application/xml"],
      ["x-upsert", "true"], ["x-upsert", "x"], ["range", "bytes=0-0,1-1"], ["if-none-match", "*"], ["if-match", "x"], ["if-modified-since", "never"], ["tus-resumable", "1.0.0"], ["upload-length", "-1"], ["upload-length", "1e9"], ["upload-offset", "0"], ["upload-metadata", "x"], ["upload-metadata", "bucketName b3Blbg==,objectName YQ=="], ["upload-concat", "final;x y"], ["upload-checksum", "md5 x"], ["upload-defer-length", "1"],
      ["x-metadata", "e30="], ["x-metadata", "!"], ["x-signature", "a.b.c"], ["cache-control", "x"], ["content-encoding", "gzip"], ["expect", "100-continue"], ["x-http-method-override", "DELETE"], ["x-http-method-override", "x"], ["x-amz-copy-source", "/open/a.bin"], ["x-amz-copy-source", "%"], ["authorization", "AWS4-HMAC-SHA256 Credential=a/b/c/s3/aws4_request, SignedHeaders=host, Signature=x"], ["x-amz-content-sha256", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"], ["x-amz-decoded-content-length", "-1"], ["accept", "image/avif,*/*"], ["x-forwarded-host", "evil"], ["origin", "null"],
    ]; // biome-ignore format: a table
    const bodies = [undefined, "", "{}", "[]", "null", "{", '{"prefix":1}', '{"prefixes":[1]}', '{"prefixes":{}}', '{"bucketId":"open","sourceKey":"a.bin","destinationKey":"b"}', '{"expiresIn":60,"paths":["a"]}', "--b\r\n\r\n", "--b--", form.toString(), "<Delete/>", "<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>", "\0".repeat(100), "[".repeat(20_000)]; // biome-ignore format: a table
    const keys = [null, files.serviceRoleKey, people.ann, files.anonKey, "x"];
    const asks = Array.from({ length: count }, () => {
      const method = pick(methods);
      const body = method === "GET" || method === "HEAD" || method === "TRACE" ? undefined : pick(bodies);
      const as = pick(keys);
      const target = `/storage/v1${pick(routes)}${Array.from({ length: next(4) }, () => `/${pick(words)}`)
        .join("")
        .replaceAll("/?", "?")}`;
      const given = Object.fromEntries(Array.from({ length: next(4) }, () => pick(headers)));
      return { method, target, body, headers: { ...(as === null ? {} : { authorization: `Bearer ${as}` }), ...given } };
    });
    const faults: string[] = [];
    const inner = /node_modules|\n\s+at |mainstay\.|storage\.objects|ENOENT|syntax error at|not a function|Cannot read/;
    await inParallel(asks, 8, async (ask) => {
      const label = `${ask.method} ${ask.target.slice(0, 120)} ${JSON.stringify({ ...ask.headers, authorization: undefined })} ${String(ask.body).slice(0, 60)}`;
      try {
        const answer = await exchange(files.url, ask);
        if (answer.status >= 500 && answer.status !== 501) faults.push(`${answer.status} ${label}`);
        if (answer.status >= 400 && inner.test(answer.text)) faults.push(`${answer.text.slice(0, 200)} ${label}`);
      } catch (error) {
        // A refusal may come before the body has gone, and end the connection under it.
        if (!/ECONNRESET|EPIPE|socket hang up/.test(String(error))) faults.push(`${error} ${label}`);
      }
    });
    expect(faults).toEqual([]);
    expect(files.failures()).toEqual([]);
    expect((await files.send("GET", "/status", { as: null })).status).toBe(200);
    expect(meantStatus(await files.send("GET", "/bucket"))).toBe(200);
  }, 300_000);
});
