import sharp from "sharp";

/** Pictures as phones take them, a little smaller: 1,600 × 1,200, JPEG. */
export const photo = {
  count: 4,
  /** No two requests in a row for the same picture in the same size. */
  widthOf: (n: number): number => 200 + (n % 400),
};

/** Something with edges, colours and noise, so that it is neither nothing to compress nor all. */
export async function imageOf(seed: number): Promise<Buffer> {
  const [width, height] = [1_600, 1_200];
  const pixels = Buffer.alloc(width * height * 3);
  let noise = seed + 1;
  for (let at = 0, n = 0; at < pixels.length; at += 3, n++) {
    noise = (noise * 1_103_515_245 + 12_345) & 0x7fffffff;
    const [x, y] = [n % width, Math.floor(n / width)];
    const wave = Math.sin((x * (seed + 1)) / 90) * Math.cos(y / 70) * 100;
    pixels[at] = 128 + wave + (noise & 15);
    pixels[at + 1] = ((x * 255) / width + (noise & 7)) & 255;
    pixels[at + 2] = ((y * 255) / height + (noise & 7)) & 255;
  }
  return sharp(pixels, { raw: { width, height, channels: 3 } })
    .jpeg({ quality: 85 })
    .toBuffer();
}

/** As the server does it where nobody asks for more than a width: the short way, without any of its checks. */
export function renderAlone(image: Buffer, width: number): Promise<Buffer> {
  return sharp(image).rotate().resize({ width, height: width, fit: "cover" }).jpeg({ quality: 80 }).toBuffer();
}
