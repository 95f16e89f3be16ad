import { execFile, spawn } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { cp, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import sharp from "sharp";
import { afterEach, describe, expect, test, vi } from "vitest";
import { orderOf, readTransformation } from "./parameters.ts";
import { createRenderers, type Renderers, type RenderersOptions } from "./renderers.ts";
import { film, halves, longGif, look, noise, phonePhoto, pngBomb } from "./testing.ts";
import type { RenderOrder, Rendition } from "./types.ts";

const opened: Renderers[] = [];
afterEach(async () => {
  vi.unstubAllEnvs();
  await Promise.all(opened.splice(0).map((one) => one.close()));
});
function open(given: Partial<RenderersOptions> = {}): Renderers {
  const renderers = createRenderers({
    processes: 1,
    queue: 100,
    idleMs: 10_000,
    timeoutMs: 60_000,
    memoryBytes: 800_000_000,
    inputPixels: 50_000_000,
    frames: 120,
    outputBytes: 10_000_000,
    ...given,
  });
  opened.push(renderers);
  return renderers;
}

const sourceOf = (bytes: Buffer, chunkBytes = 65_536) => ({
  sizeBytes: bytes.length,
  async *stream() {
    for (let at = 0; at < bytes.length; at += chunkBytes) yield bytes.subarray(at, at + chunkBytes);
  },
});
const order = (query: string, accepted: RenderOrder["formats"] = []): RenderOrder =>
  orderOf(readTransformation(Object.fromEntries(new URLSearchParams(query)), 2_500), accepted);
const render = (
  renderers: Renderers,
  bytes: Buffer,
  asked: string | RenderOrder = "",
  signal = new AbortController().signal,
): Promise<Rendition> =>
  renderers.render(async () => sourceOf(bytes), typeof asked === "string" ? order(asked) : asked, signal);
const codeOf = (work: Promise<unknown>) =>
  work.then(
    () => "no problem",
    (error: { code?: string }) => error.code ?? String(error),
  );

const isRed = ([r = 0, g = 0, b = 0]: readonly number[]) => r > 200 && g < 60 && b < 60;
const isBlue = ([r = 0, g = 0, b = 0]: readonly number[]) => r < 60 && g < 60 && b > 200;

describe("a picture", () => {
  test("is upright, and says nothing of where and by what it was taken", async () => {
    const photo = await phonePhoto();
    expect(await sharp(photo).metadata()).toMatchObject({ width: 400, height: 600, orientation: 6 });
    expect(photo.includes("Phone")).toBe(true);
    const { contentType, bytes } = await render(open(), photo, "width=300");
    const seen = await look(bytes);
    expect(contentType).toBe("image/jpeg");
    expect([seen.width, seen.height]).toEqual([300, 200]);
    expect(isRed(seen.at(20, 100))).toBe(true);
    expect(isBlue(seen.at(280, 100))).toBe(true);
    expect(seen.metadata.exif).toBeUndefined();
    expect(seen.metadata.orientation).toBeUndefined();
    expect(bytes.includes("Phone")).toBe(false);
  });

  test("fits as it is asked to, and is never larger than it was", async () => {
    const renderers = open();
    const image = await halves(600, 400).png().toBuffer();
    const sizes: readonly (readonly [string, number, number])[] = [
      ["", 600, 400],
      ["width=300", 300, 200],
      ["height=100", 150, 100],
      ["width=200&height=200", 200, 200],
      ["width=200&height=200&resize=contain", 200, 133],
      ["width=200&height=200&resize=fill", 200, 200],
      ["width=300&resize=fill", 300, 200],
      ["width=2000", 600, 400],
      ["width=2000&height=2000", 600, 400],
      ["width=2000&height=100", 600, 100],
      ["width=2000&height=100&resize=contain", 150, 100],
      ["width=2000&height=100&resize=fill", 600, 100],
      ["width=1&height=1", 1, 1],
      ["width=1&height=400&resize=fill", 1, 400],
    ];
    for (const [query, width, height] of sizes) {
      const seen = await look((await render(renderers, image, query)).bytes);
      expect([seen.width, seen.height], query).toEqual([width, height]);
    }
  });

  test("keeps the part that is asked for", async () => {
    const renderers = open();
    const image = await halves(600, 200).png().toBuffer();
    const colours: readonly (readonly [string, boolean, boolean])[] = [
      ["", true, true],
      ["&gravity=we", true, false],
      ["&gravity=nowe", true, false],
      ["&gravity=ea", false, true],
      ["&gravity=ce&x_offset=200", false, true],
      ["&gravity=we&x_offset=400", false, true],
      ["&gravity=ea&x_offset=9999", true, false],
    ];
    for (const [query, hasRed, hasBlue] of colours) {
      const { bytes } = await render(renderers, image, `width=200&height=200&resize=cover${query}`);
      const seen = await look(bytes);
      expect([isRed(seen.at(5, 100)), isBlue(seen.at(195, 100))], query).toEqual([hasRed, hasBlue]);
    }
    const smart = await look((await render(renderers, image, "width=200&height=200&gravity=sm")).bytes);
    expect([smart.width, smart.height]).toEqual([200, 200]);
  });

  test("keeps its format, or has the one that is asked for or accepted", async () => {
    const renderers = open();
    const image = await halves(60, 40).png().toBuffer();
    for (const format of ["jpeg", "png", "webp", "gif", "avif"] as const) {
      const input = await sharp(image).toFormat(format).toBuffer();
      expect((await render(renderers, input)).contentType).toBe(`image/${format}`);
      expect((await render(renderers, input, order("", ["webp"]))).contentType).toBe("image/webp");
      for (const wanted of ["webp", "avif"]) {
        const { contentType, bytes } = await render(renderers, input, `format=${wanted}`);
        expect([contentType, (await look(bytes)).format]).toEqual([`image/${wanted}`, wanted]);
      }
    }
    expect((await render(renderers, await sharp(image).tiff().toBuffer())).contentType).toBe("image/jpeg");
    const clear = await sharp(image).ensureAlpha(0.5).tiff({ compression: "lzw" }).toBuffer();
    expect((await render(renderers, clear)).contentType).toBe("image/png");
  });

  test("keeps what can be seen through", async () => {
    const image = await sharp({
      create: { width: 40, height: 40, channels: 4, background: { r: 0, g: 255, b: 0, alpha: 0 } },
    })
      .png()
      .toBuffer();
    const renderers = open();
    for (const query of ["width=20", "width=20&format=webp", "width=20&format=avif"]) {
      expect((await look((await render(renderers, image, query)).bytes)).at(10, 10)[3], query).toBe(0);
    }
  });

  test("is in sRGB with 8 bits, whatever it was in", async () => {
    const renderers = open();
    const deep = await halves(60, 40).toColourspace("rgb16").png().toBuffer();
    expect((await sharp(deep).metadata()).depth).toBe("ushort");
    const print = await halves(60, 40).withIccProfile("cmyk").toColourspace("cmyk").jpeg().toBuffer();
    expect((await sharp(print).metadata()).space).toBe("cmyk");
    const wide = await halves(60, 40).withIccProfile("p3").jpeg({ quality: 95 }).toBuffer();
    expect((await sharp(wide).metadata()).icc).toBeDefined();
    for (const image of [deep, print, wide]) {
      const seen = await look((await render(renderers, image, "width=30")).bytes);
      expect(seen.metadata).toMatchObject({ space: "srgb", depth: "uchar" });
      expect(seen.metadata.icc).toBeUndefined();
      const [r = 0, , b = 0] = seen.at(3, 10);
      expect(r).toBeGreaterThan(b + 100);
    }
  });

  test("moves where it moved", async () => {
    const renderers = open({ frames: 20 });
    for (const format of ["gif", "webp"] as const) {
      const { contentType, bytes } = await render(renderers, await film(format, 20), "width=20&height=20");
      const seen = await look(bytes);
      expect([contentType, seen.pages, seen.metadata.height]).toEqual([`image/${format}`, 20, 20]);
      expect((await look((await render(renderers, await film(format, 21), "width=20")).bytes)).pages).toBe(1);
    }
    const asWebp = await render(renderers, await film("gif", 5), order("", ["avif", "webp"]));
    expect([asWebp.contentType, (await look(asWebp.bytes)).pages]).toEqual(["image/webp", 5]);
    const tight = open({ inputPixels: 40 * 30 * 4 });
    expect((await look((await render(tight, await film("gif", 5))).bytes)).pages).toBe(1);
  });

  test("comes whatever pieces its image comes in", async () => {
    const renderers = open();
    const image = await noise(200, 200).jpeg().toBuffer();
    const whole = (await render(renderers, image, "width=50")).bytes;
    for (const size of [64, 1_000]) {
      const made = await renderers.render(
        async () => sourceOf(image, size),
        order("width=50"),
        new AbortController().signal,
      );
      expect(made.bytes.equals(whole)).toBe(true);
    }
  });
});

describe("S06: what is no image, or a bomb", () => {
  test("is refused, and the next one is served", async () => {
    const renderers = open({ memoryBytes: 400_000_000 });
    const good = await halves(60, 40).jpeg().toBuffer();
    const photo = await noise(400, 400).jpeg().toBuffer();
    const svg = (body: string) => Buffer.from(`<?xml version="1.0"?>${body}`);
    const entities = Array.from({ length: 9 }, (_, at) => `<!ENTITY e${at + 1} "${`&e${at};`.repeat(10)}">`).join("");
    const bad: readonly (readonly [string, Buffer, string])[] = [
      ["text", Buffer.from("hello"), "InvalidImage"],
      ["one byte", Buffer.from([0xff]), "InvalidImage"],
      ["cut off", photo.subarray(0, photo.length / 2), "InvalidImage"],
      ["head only", photo.subarray(0, 100), "InvalidImage"],
      ["rubbish behind a head", Buffer.concat([good.subarray(0, 20), Buffer.alloc(5_000, "rubbish")]), "InvalidImage"],
      ["50k x 50k", pngBomb(50_000, 50_000), "ImageTooLarge"],
      ["flat", pngBomb(50_000_001, 1), "ImageTooLarge"],
      ["SVG", svg("<svg xmlns='http://www.w3.org/2000/svg' width='10' height='10'/>"), "InvalidImage"],
      [
        "SVG of entities",
        svg(`<!DOCTYPE svg [<!ENTITY e0 "lol">${entities}]><svg xmlns="http://www.w3.org/2000/svg">&e9;</svg>`),
        "InvalidImage",
      ],
      [
        "SVG of files",
        svg(`<svg xmlns="http://www.w3.org/2000/svg"><image href="file:///etc/passwd" width="9" height="9"/></svg>`),
        "InvalidImage",
      ],
      ["PDF", Buffer.from("%PDF-1.7\n1 0 obj\n"), "InvalidImage"],
      ["TIFF without anything", Buffer.from("II*\0\xff\xff\xff\xff", "latin1"), "InvalidImage"],
      ["AVIF without anything", Buffer.from("\0\0\0\x1cftypavif\0\0\0\0avifmif1miaf", "latin1"), "InvalidImage"],
      ["PPM behind a JPEG's name", Buffer.from("P6 60000 60000 255\n"), "InvalidImage"],
    ];
    for (const [name, bytes, code] of bad) expect(await codeOf(render(renderers, bytes, "width=10")), name).toBe(code);
    expect((await look((await render(renderers, good, "width=30")).bytes)).width).toBe(30);
    expect(renderers.count()).toBe(1);
  });

  test("a film of 10,000 frames is a still", async () => {
    const { bytes, contentType } = await render(open(), longGif(10_000));
    expect([contentType, (await look(bytes)).pages]).toEqual(["image/gif", 1]);
  });

  test("is killed when it takes too long", async () => {
    const slow = open({ timeoutMs: 1_000, inputPixels: 500_000_000, memoryBytes: 4_000_000_000 });
    const big = await noise(3_000, 3_000).jpeg().toBuffer();
    const { bytes } = await render(slow, await halves(60, 40).jpeg().toBuffer(), "width=30");
    expect(bytes.length).toBeGreaterThan(0);
    expect(await codeOf(render(slow, big, "format=avif&quality=100"))).toBe("ImageTimeout");
    expect((await look((await render(slow, bytes, "width=10")).bytes)).width).toBe(10);
  });

  test.runIf(process.platform === "linux")("is killed when it takes too much memory", async () => {
    const small = open({ memoryBytes: 200_000_000, inputPixels: 1_000_000_000 });
    const interlaced = pngBomb(16_000, 16_000, true);
    expect(interlaced.length).toBeLessThan(100_000);
    expect(await codeOf(render(small, interlaced, "width=10"))).toBe("ImageTooLarge");
    expect((await look((await render(small, await halves(60, 40).jpeg().toBuffer(), "width=30")).bytes)).width).toBe(
      30,
    );
  });

  test("gives no more than it may", async () => {
    const little = open({ outputBytes: 10_000 });
    const image = await noise(500, 500).jpeg().toBuffer();
    expect(await codeOf(render(little, image))).toBe("ImageTooLarge");
    expect((await render(little, image, "width=20")).bytes.length).toBeLessThan(10_000);
  });
});

describe("processes", () => {
  test("are as many as may be, then there is a queue, then a refusal", async () => {
    const renderers = open({ processes: 2, queue: 3 });
    const image = await noise(300, 300).jpeg().toBuffer();
    const codes = await Promise.all(
      Array.from({ length: 8 }, (_, at) => codeOf(render(renderers, image, `width=${at + 10}`))),
    );
    expect(codes).toEqual([...Array.from({ length: 5 }, () => "no problem"), "SlowDown", "SlowDown", "SlowDown"]);
    expect(renderers.count()).toBe(2);
  });

  test("end when nothing is to do, and begin again", async () => {
    const renderers = open({ idleMs: 30 });
    const image = await noise(30, 30).jpeg().toBuffer();
    expect(renderers.count()).toBe(0);
    await render(renderers, image);
    expect(renderers.count()).toBe(1);
    while (renderers.count() > 0) await new Promise((resolve) => setTimeout(resolve, 5));
    expect((await render(renderers, image)).contentType).toBe("image/jpeg");
  });

  test("who leaves loses the place in the queue, and nobody else's", async () => {
    const renderers = open();
    const image = await noise(600, 600).jpeg().toBuffer();
    const leaving = new AbortController();
    const first = render(renderers, image, "width=100");
    const second = codeOf(render(renderers, image, "width=101", leaving.signal));
    const third = render(renderers, image, "width=102");
    leaving.abort(new Error("gone"));
    expect(await second).toMatch(/gone/);
    expect((await look((await first).bytes)).width).toBe(100);
    expect((await look((await third).bytes)).width).toBe(102);
  });

  test("take an image that comes in pieces of a few bytes, and none that is none", async () => {
    const renderers = open();
    const image = await noise(20, 20).jpeg().toBuffer();
    const none = new AbortController().signal;
    const made = await renderers.render(async () => sourceOf(image, 5), order("width=10"), none);
    expect((await look(made.bytes)).width).toBe(10);
    for (const bytes of [Buffer.from("x"), Buffer.alloc(200, "x")]) {
      expect(await codeOf(renderers.render(async () => sourceOf(bytes, 5), order(""), none))).toBe("InvalidImage");
    }
  });

  test("do without an image that breaks off, and take the next", async () => {
    const renderers = open();
    const image = await noise(600, 600).jpeg().toBuffer();
    const broken = {
      sizeBytes: image.length,
      async *stream() {
        yield image.subarray(0, 1_000);
        throw new Error("the store is away");
      },
    };
    const none = new AbortController().signal;
    expect(await codeOf(renderers.render(async () => broken, order("width=10"), none))).toMatch(/the store is away/);
    const short = { sizeBytes: image.length + 1, stream: sourceOf(image).stream };
    expect(await codeOf(renderers.render(async () => short, order("width=10"), none))).toMatch(/bytes of/);
    expect(await codeOf(renderers.render(() => Promise.reject(new Error("no row")), order(""), none))).toMatch(
      /no row/,
    );
    expect((await look((await render(renderers, image, "width=10")).bytes)).width).toBe(10);
  });

  test("end with the server, and what waits is told", async () => {
    const renderers = open();
    const image = await noise(1_000, 1_000).jpeg().toBuffer();
    const answers = [1, 2, 3].map((at) => codeOf(render(renderers, image, `format=avif&width=${at + 900}`)));
    await new Promise((resolve) => setTimeout(resolve, 100));
    await renderers.close();
    expect(await Promise.all(answers)).toEqual(["ImagesStopped", "ImagesStopped", "ImagesStopped"]);
    expect(await codeOf(render(renderers, image))).toBe("ImagesStopped");
  });

  test.runIf(process.platform === "linux")("have nothing of ours, and are replaced when they break", async () => {
    vi.stubEnv("MAINSTAY_TEST_SECRET", "hush");
    const renderers = open();
    const image = await noise(1_500, 1_500).jpeg().toBuffer();
    await render(renderers, await noise(30, 30).jpeg().toBuffer());
    expect(readFileSync(`/proc/${childPid()}/environ`, "utf8").split("\0").filter(Boolean).sort()).toEqual([
      "MALLOC_ARENA_MAX=2",
      "VIPS_BLOCK_UNTRUSTED=1",
    ]);
    for (const [signal, code] of [
      ["SIGSEGV", "InvalidImage"],
      ["SIGKILL", "ImageTooLarge"],
      ["SIGTERM", "ImagesStopped"],
    ] as const) {
      const broken = codeOf(render(renderers, image, "format=avif"));
      const waiting = render(renderers, image, "width=10");
      await new Promise((resolve) => setTimeout(resolve, 50));
      process.kill(childPid(), signal);
      expect(await broken, signal).toBe(code);
      expect((await look((await waiting).bytes)).width).toBe(10);
    }
    // While it waits for work.
    const pid = childPid();
    process.kill(pid, "SIGKILL");
    await vi.waitFor(() => expect(existsSync(`/proc/${pid}`)).toBe(false), 30_000);
    expect((await look((await render(renderers, image, "width=10")).bytes)).width).toBe(10);
  });

  test.runIf(process.platform === "linux")("do not outlive a server that is killed", async () => {
    const script = `
      import sharp from "sharp";
      import { createRenderers } from "./renderers.ts";
      const renderers = createRenderers({ processes: 1, queue: 9, idleMs: 9e6, timeoutMs: 9e6, memoryBytes: 4e9, inputPixels: 9e8, frames: 9, outputBytes: 9e8 });
      const bytes = await sharp({ create: { width: 4500, height: 4500, channels: 3, background: "#888", noise: { type: "gaussian", mean: 128, sigma: 60 } } }).jpeg().toBuffer();
      const source = { sizeBytes: bytes.length, async *stream() { yield bytes; setTimeout(() => console.log("sent"), 200); } };
      await renderers.render(async () => source, ${JSON.stringify(order("format=avif&quality=100"))}, new AbortController().signal);`;
    const server = spawn(process.execPath, ["--input-type=module-typescript", "-e", script], {
      cwd: import.meta.dirname,
      stdio: ["ignore", "pipe", "inherit"],
    });
    await new Promise((resolve) => server.stdout.once("data", resolve));
    const pid = childPid(server.pid);
    expect(readFileSync(`/proc/${pid}/cmdline`, "utf8")).toContain("renderer-child");
    server.kill("SIGKILL");
    // The picture would take it longer.
    await vi.waitFor(() => expect(existsSync(`/proc/${pid}`)).toBe(false), 3_000);
  });

  test("say so where the package that decodes is missing", async () => {
    // The same files, where none of our packages can be found.
    const root = await mkdtemp(join(tmpdir(), "mainstay-without-sharp-"));
    try {
      const here = import.meta.dirname;
      await cp(join(here, "../../../kernel/problem.ts"), join(root, "kernel/problem.ts"));
      await cp(here, join(root, "capabilities/storage/images"), { recursive: true });
      const script = `
        import { createRenderers } from "./capabilities/storage/images/renderers.ts";
        const renderers = createRenderers({ processes: 1, queue: 9, idleMs: 9_000, timeoutMs: 9_000, memoryBytes: 8e8, inputPixels: 9e6, frames: 9, outputBytes: 9e6 });
        const bytes = Buffer.from(${JSON.stringify((await halves(60, 40).jpeg().toBuffer()).toString("base64"))}, "base64");
        const source = { sizeBytes: bytes.length, async *stream() { yield bytes; } };
        const order = ${JSON.stringify(order("width=10"))};
        for (const _ of [1, 2]) {
          const code = await renderers.render(async () => source, order, new AbortController().signal).catch((error) => error.code);
          console.log(code);
        }
        await renderers.close();`;
      const said = await promisify(execFile)(process.execPath, ["--input-type=module-typescript", "-e", script], {
        cwd: root,
      });
      expect(said.stdout).toBe("ImagesUnavailable\nImagesUnavailable\n");
    } finally {
      await rm(root, { recursive: true });
    }
  });
});

/** The renderer that a process has started last. */
function childPid(parent: number | undefined = process.pid): number {
  const threads = readdirSync(`/proc/${parent}/task`);
  const children = threads.flatMap((id) => readFileSync(`/proc/${parent}/task/${id}/children`, "utf8").split(" "));
  return Math.max(
    ...children
      .map(Number)
      .filter((pid) => pid > 0 && readFileSync(`/proc/${pid}/cmdline`, "utf8").includes("renderer-child")),
  );
}
