import { deflateSync } from "node:zlib";
import sharp from "sharp";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { inParallel } from "../send.ts";
import type { Answer } from "./http.ts";
import { type FilesServer, startFiles } from "./server.ts";

/** Threats S06 and S07: images that are more than they look, and many that are none. */
let files: FilesServer;
const queue = 10;
beforeAll(async () => {
  files = await startFiles({ storageImageProcesses: 1, storageImageQueue: queue, storageImageTimeoutMs: 5_000 });
  const picture = await sharp({ create: { width: 400, height: 300, channels: 3, background: "#08c" } })
    .png()
    .toBuffer();
  await files.upload(files.serviceRoleKey, "open/good.png", picture, { "content-type": "image/png" });
  for (const [name, bytes] of Object.entries(bombs)) {
    await files.upload(files.serviceRoleKey, `open/bombs/${name}`, bytes, { "content-type": "image/png" });
  }
});
afterAll(() => files.stop());

const crcTable = Array.from({ length: 256 }, (_, byte) => {
  let value = byte;
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? 0xedb88320 ^ (value >>> 1) : value >>> 1;
  return value >>> 0;
});
const crc = (bytes: Buffer): number => {
  let value = 0xffffffff;
  for (const byte of bytes) value = crcTable[(value ^ byte) & 255]! ^ (value >>> 8);
  return (value ^ 0xffffffff) >>> 0;
};
function chunk(type: string, data: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(type, "latin1"), data]);
  const [size, sum] = [Buffer.alloc(4), Buffer.alloc(4)];
  size.writeUInt32BE(data.length);
  sum.writeUInt32BE(crc(body));
  return Buffer.concat([size, body, sum]);
}
/** A PNG of so many pixels of one bit, whose data unpack to `rawBytes`. */
function png(width: number, height: number, rawBytes: number, more: readonly Buffer[] = []): Buffer {
  const head = Buffer.alloc(13);
  head.writeUInt32BE(width, 0);
  head.writeUInt32BE(height, 4);
  head[8] = 1;
  return Buffer.concat([
    Buffer.from("89504e470d0a1a0a", "hex"),
    chunk("IHDR", head),
    ...more,
    chunk("IDAT", deflateSync(Buffer.alloc(rawBytes), { level: 9 })),
    chunk("IEND", Buffer.alloc(0)),
  ]);
}
const gifHead = Buffer.from("47494638396150c350c3f00000000000ffffff", "hex");
const svg = (body: string): Buffer => Buffer.from(`<?xml version="1.0"?>${body}`);
const lol = Array.from({ length: 9 }, (_, at) => `<!ENTITY l${at + 1} "${`&l${at};`.repeat(10)}">`).join("");
const bombs: Readonly<Record<string, Buffer>> = {
  "wide.png": png(50_000, 50_000, 20_000_000),
  "claims.png": png(2 ** 31 - 1, 2 ** 31 - 1, 100),
  "none.png": png(0, 0, 0),
  "text.png": png(10, 10, 20, [chunk("zTXt", Buffer.concat([Buffer.from("a\0\0"), deflateSync(Buffer.alloc(20_000_000))]))]),
  "profile.png": png(10, 10, 20, [chunk("iCCP", Buffer.concat([Buffer.from("a\0\0"), deflateSync(Buffer.alloc(20_000_000))]))]),
  "cut.png": png(100, 100, 1_300).subarray(0, 60),
  "frames.gif": Buffer.concat([gifHead, Buffer.alloc(20_000, Buffer.from("21f904000000000000002c0000000001000100000002024c01003b", "hex"))]),
  "lol.svg": svg(`<!DOCTYPE svg [<!ENTITY l0 "l">${lol}]><svg xmlns="http://www.w3.org/2000/svg"><text>&l9;</text></svg>`),
  "file.svg": svg('<!DOCTYPE svg [<!ENTITY x SYSTEM "file:///etc/passwd">]><svg xmlns="http://www.w3.org/2000/svg"><text>&x;</text></svg>'),
  "call.svg": svg('<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"><image xlink:href="http://127.0.0.1:1/x.png"/></svg>'),
  "page.pdf": Buffer.from("%PDF-1.7\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj 2 0 obj<</Kids[2 0 R]/Count 99999999>>endobj"),
  "script.mvg": Buffer.from("push graphic-context\nviewbox 0 0 640 480\nfill 'url(https://127.0.0.1/x\"|ls \"-la)'\npop graphic-context"),
  "text.txt": Buffer.from("no picture at all"),
  "empty.png": Buffer.alloc(0),
}; // biome-ignore format: a table
const render = (path: string): Promise<Answer> => files.send("GET", `/render/image/public/open/${path}`, { as: null });

describe("S06 images that are more than they look", () => {
  test("S06 are refused or made small, and the server goes on", async () => {
    for (const name of Object.keys(bombs)) {
      const answer = await render(`bombs/${name}?width=50&height=50`);
      const label = `${name}: ${answer.status} ${answer.text.slice(0, 200)}`;
      expect.soft([200, 400, 413, 415, 422, 504], label).toContain(answer.status);
      expect.soft(answer.bytes.length, label).toBeLessThan(1_000_000);
      expect.soft(answer.text, label).not.toMatch(/root:|vips|libpng|sharp|node_modules/);
    }
    const good = await render("good.png?width=50");
    expect(good.status).toBe(200);
    expect((await sharp(good.bytes).metadata()).width).toBe(50);
    expect(files.failures()).toEqual([]);
  }, 120_000);

  test("S06 parameters are few, whole and bounded", async () => {
    const bad = [
      "width=-1",
      "width=1.5",
      "width=1e9",
      "width=abc",
      "width=0x10",
      "quality=0",
      "quality=101",
      "quality=19",
      "resize=explode",
      "format=exe",
      "format=svg",
      "width=NaN",
      "width[]=5",
      "height=99999999999999999999",
    ];
    for (const query of bad) {
      const answer = await render(`good.png?${query}`);
      expect.soft(answer.status, `${query}: ${answer.text.slice(0, 100)}`).toBeLessThan(500);
      if (answer.status === 200) {
        const { width = 0, height = 0 } = await sharp(answer.bytes).metadata();
        expect.soft(Math.max(width, height), query).toBeLessThanOrEqual(2_500);
      }
    }
  });
});

describe("S07 many that are none", () => {
  test("S07 bad ones by the hundred: every plain file is answered meanwhile, and what is too much is refused", async () => {
    const count = Number(process.env.MAINSTAY_STORAGE_BAD_IMAGES ?? 300);
    const names = Object.keys(bombs);
    let isOver = false;
    const plain: number[] = [];
    const reading = (async () => {
      while (!isOver) plain.push((await files.send("GET", "/object/public/open/good.png", { as: null })).status);
    })();
    const statuses: number[] = [];
    await inParallel(Array.from({ length: count }), 60, async (_, at) => {
      const { status } = await render(`bombs/${names[at % names.length]}?width=${1 + (at % 900)}`);
      statuses.push(status);
    });
    isOver = true;
    await reading;
    expect(plain.length).toBeGreaterThan(0);
    expect(plain.filter((status) => status !== 200)).toEqual([]);
    expect(statuses.filter((status) => ![200, 400, 413, 415, 422, 503, 504].includes(status))).toEqual([]);
    await expect.poll(async () => (await render("good.png?width=51")).status).toBe(200);
    expect(files.failures()).toEqual([]);
    expect(await files.leaks()).toEqual([]);
  }, 300_000);
});
