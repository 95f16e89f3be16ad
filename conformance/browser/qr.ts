import type { Page } from "playwright-core";

/**
 * What a QR code on the page says, read off its pixels as a phone's camera would (ISO/IEC 18004). The picture is a clean one, so the
 * error correction is passed over: text in byte mode, versions 1 to 15.
 * @param selector Of the image
 */
export async function readQr(page: Page, selector: string): Promise<string> {
  return textIn(codewordsOf(await modulesOf(page, selector)));
}

/** Dark modules of the symbol, row by row. */
type Modules = readonly (readonly boolean[])[];

/** Drawn large by the page, cut to its dark parts, and measured by the finder pattern: its first edge is seven modules long. */
async function modulesOf(page: Page, selector: string): Promise<Modules> {
  const size = 1_024;
  const dark = (await page.evaluate(`(() => {
    const canvas = document.createElement("canvas");
    canvas.width = canvas.height = ${size};
    const brush = canvas.getContext("2d");
    brush.fillStyle = "white";
    brush.fillRect(0, 0, ${size}, ${size});
    brush.drawImage(document.querySelector(${JSON.stringify(selector)}), 0, 0, ${size}, ${size});
    const { data } = brush.getImageData(0, 0, ${size}, ${size});
    return Array.from({ length: ${size * size} }, (_, at) => (data[4 * at] < 128 ? "1" : "0")).join("");
  })()`)) as string;
  const isDark = (x: number, y: number) => dark[Math.floor(y) * size + Math.floor(x)] === "1";
  const first = dark.indexOf("1");
  const [left, top] = [first % size, Math.floor(first / size)];
  let edge = left;
  while (isDark(edge, top)) edge++;
  const module = (edge - left) / 7;
  const right = dark.slice(top * size, (top + 1) * size).lastIndexOf("1") + 1;
  const count = Math.round((right - left) / module);
  const pitch = (right - left) / count;
  return Array.from({ length: count }, (_, row) =>
    Array.from({ length: count }, (_, column) => isDark(left + (column + 0.5) * pitch, top + (row + 0.5) * pitch)),
  );
}

const masks: readonly ((row: number, column: number) => boolean)[] = [
  (row, column) => (row + column) % 2 === 0,
  (row) => row % 2 === 0,
  (_, column) => column % 3 === 0,
  (row, column) => (row + column) % 3 === 0,
  (row, column) => (Math.floor(row / 2) + Math.floor(column / 3)) % 2 === 0,
  (row, column) => ((row * column) % 2) + ((row * column) % 3) === 0,
  (row, column) => (((row * column) % 2) + ((row * column) % 3)) % 2 === 0,
  (row, column) => (((row + column) % 2) + ((row * column) % 3)) % 2 === 0,
];

/** The data, without what corrects errors in it. */
function codewordsOf(modules: Modules): { readonly version: number; readonly bytes: readonly number[] } {
  const size = modules.length;
  const version = (size - 17) / 4;
  const bit = (row: number, column: number) => modules[row]?.[column] === true;
  // The format's first five bits, masked by 10101: two of the level, three of the mask.
  const format = [0, 1, 2, 3, 4].map((column) => bit(8, column)).map((value, at) => value !== (at % 2 === 0));
  const number = (bits: readonly boolean[]) => bits.reduce((value, one) => value * 2 + (one ? 1 : 0), 0);
  const level = ["M", "L", "H", "Q"][number(format.slice(0, 2))] as string;
  const mask = masks[number(format.slice(2))] as (typeof masks)[number];
  const isFunction = functionModules(version, size);
  const bits: boolean[] = [];
  let isUp = true;
  for (let right = size - 1; right > 0; right -= 2) {
    if (right === 6) right = 5;
    for (let step = 0; step < size; step++) {
      const row = isUp ? size - 1 - step : step;
      for (const column of [right, right - 1]) {
        if (!isFunction(row, column)) bits.push(bit(row, column) !== mask(row, column));
      }
    }
    isUp = !isUp;
  }
  const stream = Array.from({ length: Math.floor(bits.length / 8) }, (_, at) => number(bits.slice(8 * at, 8 * at + 8)));
  return { version, bytes: deinterleaved(stream, blocksOf(version, level)) };
}

/** Where no data is: finders, timing, alignment, format and version. */
function functionModules(version: number, size: number): (row: number, column: number) => boolean {
  const count = version === 1 ? 0 : Math.floor(version / 7) + 2;
  const step = Math.ceil((size - 13) / (2 * count - 2)) * 2;
  const centres = Array.from({ length: count }, (_, at) => (at === 0 ? 6 : size - 7 - (count - 1 - at) * step));
  const isAlignment = (row: number, column: number) =>
    centres.some((y) =>
      centres.some((x) => {
        const isFinder = (y === 6 && (x === 6 || x === size - 7)) || (y === size - 7 && x === 6);
        return !isFinder && Math.abs(row - y) <= 2 && Math.abs(column - x) <= 2;
      }),
    );
  return (row, column) =>
    row === 6 ||
    column === 6 ||
    (row <= 8 && (column <= 8 || column >= size - 8)) ||
    (row >= size - 8 && column <= 8) ||
    (version >= 7 && ((row < 6 && column >= size - 11) || (column < 6 && row >= size - 11))) ||
    isAlignment(row, column);
}

/** Of versions 1 to 15, by level: codewords of error correction in a block, and blocks (ISO/IEC 18004 table 9). */
const correction: Readonly<Record<string, readonly (readonly [perBlock: number, blocks: number])[]>> = {
  L: [
    [7, 1],
    [10, 1],
    [15, 1],
    [20, 1],
    [26, 1],
    [18, 2],
    [20, 2],
    [24, 2],
    [30, 2],
    [18, 4],
    [20, 4],
    [24, 4],
    [26, 4],
    [30, 4],
    [22, 6],
  ],
  M: [
    [10, 1],
    [16, 1],
    [26, 1],
    [18, 2],
    [24, 2],
    [16, 4],
    [18, 4],
    [22, 4],
    [22, 5],
    [26, 5],
    [30, 5],
    [22, 8],
    [22, 9],
    [24, 9],
    [24, 10],
  ],
  Q: [
    [13, 1],
    [22, 1],
    [18, 2],
    [26, 2],
    [18, 4],
    [24, 4],
    [18, 6],
    [22, 6],
    [20, 8],
    [24, 8],
    [28, 8],
    [26, 10],
    [24, 12],
    [20, 16],
    [30, 12],
  ],
  H: [
    [17, 1],
    [28, 1],
    [22, 2],
    [16, 4],
    [22, 4],
    [28, 4],
    [26, 5],
    [26, 6],
    [24, 8],
    [28, 8],
    [24, 11],
    [28, 11],
    [22, 16],
    [24, 16],
    [24, 18],
  ],
};

interface Blocks {
  readonly count: number;
  readonly perBlock: number;
}

function blocksOf(version: number, level: string): Blocks {
  const found = correction[level]?.[version - 1];
  if (found === undefined) throw new Error(`no QR code of version ${version} is read here`);
  return { perBlock: found[0], count: found[1] };
}

/** The blocks' data, one after the other; the last ones may be longer by one. */
function deinterleaved(stream: readonly number[], { count, perBlock }: Blocks): readonly number[] {
  const total = stream.length - perBlock * count;
  const short = Math.floor(total / count);
  const long = total % count;
  const blocks = Array.from({ length: count }, () => [] as number[]);
  let at = 0;
  for (let place = 0; place <= short; place++) {
    for (let block = 0; block < count; block++) {
      if (place < short || block >= count - long) blocks[block]?.push(stream[at++] as number);
    }
  }
  return blocks.flat();
}

/** The first segment, which must be bytes. */
function textIn({ version, bytes }: { readonly version: number; readonly bytes: readonly number[] }): string {
  const bits = bytes.map((byte) => byte.toString(2).padStart(8, "0")).join("");
  if (!bits.startsWith("0100")) throw new Error(`a QR code of mode ${bits.slice(0, 4)} is not read here`);
  const lengthBits = version < 10 ? 8 : 16;
  const length = Number.parseInt(bits.slice(4, 4 + lengthBits), 2);
  const start = 4 + lengthBits;
  return Buffer.from(
    Array.from({ length }, (_, at) => Number.parseInt(bits.slice(start + 8 * at, start + 8 * at + 8), 2)),
  ).toString();
}
