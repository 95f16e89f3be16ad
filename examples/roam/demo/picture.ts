import { crc32, deflateSync } from "node:zlib";

/** Red, green, blue, each 0 to 255. */
export type Colour = readonly [red: number, green: number, blue: number];

/** A sky that goes from one colour to another, as a PNG: the demo has a picture of its own, and comes without one. Sides in pixels. */
export function paintSky(width: number, height: number, above: Colour, below: Colour): Uint8Array<ArrayBuffer> {
  const rowBytes = 1 + width * 3;
  const rows = Buffer.alloc(rowBytes * height);
  for (let y = 0; y < height; y++) {
    // The first byte of a row says that it is stored as it is.
    for (let at = 0; at < width * 3; at++) {
      const [from, to] = [above[at % 3]!, below[at % 3]!];
      rows[y * rowBytes + 1 + at] = from + ((to - from) * y) / Math.max(1, height - 1);
    }
  }
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  // Eight bits for each of three colours.
  header.set([8, 2, 0, 0, 0], 8);
  const signature = Buffer.from("\x89PNG\r\n\x1a\n", "latin1");
  const parts = [chunk("IHDR", header), chunk("IDAT", deflateSync(rows)), chunk("IEND", Buffer.alloc(0))];
  return new Uint8Array(Buffer.concat([signature, ...parts]));
}

/** Length, name, data and their checksum (PNG specification, 5.3). */
function chunk(name: string, data: Buffer): Buffer {
  const named = Buffer.concat([Buffer.from(name, "latin1"), data]);
  const [length, sum] = [Buffer.alloc(4), Buffer.alloc(4)];
  length.writeUInt32BE(data.length);
  sum.writeUInt32BE(crc32(named));
  return Buffer.concat([length, named, sum]);
}
