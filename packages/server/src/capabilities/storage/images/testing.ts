import { crc32, deflateSync } from "node:zlib";
import sharp from "sharp";

/** Red left, blue right, upright; stored lying on its side as phones do (EXIF orientation 6), with a place in its metadata. */
export async function phonePhoto(width = 600, height = 400): Promise<Buffer> {
  const upright = await halves(width, height).png().toBuffer();
  return sharp(await sharp(upright).rotate(270).png().toBuffer())
    .withExif({
      IFD0: { Make: "Phone", Orientation: "6" },
      IFD3: { GPSLatitudeRef: "N", GPSLatitude: "52/1 31/1 0/1", GPSLongitudeRef: "E", GPSLongitude: "13/1 24/1 0/1" },
    })
    .withMetadata({ orientation: 6 })
    .jpeg({ quality: 95 })
    .toBuffer();
}

/** Red left, blue right. */
export function halves(width: number, height: number): ReturnType<typeof sharp> {
  const right = { create: { width: width / 2, height, channels: 3, background: "#00f" } } as const;
  return sharp({ create: { width, height, channels: 3, background: "#f00" } }).composite([
    { input: right, left: width / 2, top: 0 },
  ]);
}

/** Noise: no format makes it small. */
export function noise(width: number, height: number): ReturnType<typeof sharp> {
  return sharp({
    create: {
      width,
      height,
      channels: 3,
      background: "#888",
      noise: { type: "gaussian", mean: 128, sigma: 60 },
    },
  });
}

/** A moving picture in the format that the name says, each frame of another grey. */
export async function film(format: "gif" | "webp", frames: number, width = 40, height = 30): Promise<Buffer> {
  const raw = Buffer.alloc(width * height * frames * 3);
  for (let frame = 0; frame < frames; frame++) {
    raw.fill((frame * 37) % 256, frame * width * height * 3, (frame + 1) * width * height * 3);
  }
  const strip = sharp(raw, { raw: { width, height: height * frames, channels: 3, pageHeight: height } });
  return format === "gif" ? strip.gif({ delay: 50 }).toBuffer() : strip.webp({ lossless: true, delay: 50 }).toBuffer();
}

/** A GIF of many frames of one pixel each, by hand: 19 bytes a frame. */
export function longGif(frames: number, side = 1): Buffer {
  const size = Buffer.alloc(4);
  size.writeUInt16LE(side, 0);
  size.writeUInt16LE(side, 2);
  const start = Buffer.concat([Buffer.from("GIF89a"), size, Buffer.from([0x80, 0, 0, 0, 0, 0, 255, 255, 255])]);
  const frame = Buffer.from([
    ...[0x21, 0xf9, 4, 0, 1, 0, 0, 0],
    ...[0x2c, 0, 0, 0, 0, 1, 0, 1, 0, 0],
    ...[2, 2, 0x44, 1, 0],
  ]);
  return Buffer.concat([start, ...Array.from({ length: frames }, () => frame), Buffer.from([0x3b])]);
}

/** A PNG of one bit a pixel, all black: what is megabytes of pixels is kilobytes of file. `isInterlaced` has to be decoded whole. */
export function pngBomb(width: number, height: number, isInterlaced = false): Buffer {
  const chunk = (type: string, data: Buffer): Buffer => {
    const named = Buffer.concat([Buffer.from(type), data]);
    const length = Buffer.alloc(4);
    length.writeUInt32BE(data.length);
    const sum = Buffer.alloc(4);
    sum.writeUInt32BE(crc32(named));
    return Buffer.concat([length, named, sum]);
  };
  const head = Buffer.alloc(13);
  head.writeUInt32BE(width, 0);
  head.writeUInt32BE(height, 4);
  head[8] = 1;
  head[12] = isInterlaced ? 1 : 0;
  const rows = Buffer.alloc((Math.ceil(width / 8) + 1) * height);
  return Buffer.concat([
    Buffer.from("\x89PNG\r\n\x1a\n", "latin1"),
    chunk("IHDR", head),
    chunk("IDAT", deflateSync(rows, { level: 9 })),
    chunk("IEND", Buffer.alloc(0)),
  ]);
}

/** What a picture is, and the colour of some of its pixels. */
export async function look(bytes: Buffer): Promise<{
  readonly format: string;
  readonly width: number;
  readonly height: number;
  readonly pages: number;
  readonly metadata: Awaited<ReturnType<ReturnType<typeof sharp>["metadata"]>>;
  at(x: number, y: number): readonly number[];
}> {
  const metadata = await sharp(bytes).metadata();
  const { data, info } = await sharp(bytes).raw().toBuffer({ resolveWithObject: true });
  return {
    format: metadata.format === "heif" ? "avif" : metadata.format,
    width: info.width,
    height: info.height,
    pages: metadata.pages ?? 1,
    metadata,
    at: (x, y) => [...data.subarray((y * info.width + x) * info.channels).subarray(0, info.channels)],
  };
}
