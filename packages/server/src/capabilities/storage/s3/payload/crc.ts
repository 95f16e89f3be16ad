import { crc32 as zlibCrc32 } from "node:zlib";

/** A cyclic redundancy check as it grows: reflected, begun with and inverted by all ones, as S3's three are. */
export interface Crc {
  update(bytes: Uint8Array): void;
  /** Big-endian, as S3 writes it before base64. */
  digest(): Buffer;
}

/** What tells one from another: its polynomial without the highest term, lowest bit first. */
export interface CrcKind {
  readonly bits: 32 | 64;
  readonly polynomial: bigint;
}

export const crcKinds = {
  crc32: { bits: 32, polynomial: 0xedb88320n },
  /** RFC 3720 §12.1 */
  crc32c: { bits: 32, polynomial: 0x82f63b78n },
  /** NVM Express, NVM command set specification, 64b CRC */
  crc64nvme: { bits: 64, polynomial: 0x9a6c9329ac4bc9b5n },
} as const satisfies Record<string, CrcKind>;

/** What a byte does to the check, in halves of 32 bits: numbers are some ten times faster than bigints. */
function tableOf({ polynomial }: CrcKind): { readonly low: Uint32Array; readonly high: Uint32Array } {
  const low = new Uint32Array(256);
  const high = new Uint32Array(256);
  for (let byte = 0; byte < 256; byte++) {
    let value = BigInt(byte);
    for (let bit = 0; bit < 8; bit++) value = value & 1n ? (value >> 1n) ^ polynomial : value >> 1n;
    low[byte] = Number(value & 0xffffffffn);
    high[byte] = Number(value >> 32n);
  }
  return { low, high };
}

const castagnoli = tableOf(crcKinds.crc32c).low;
const nvme = tableOf(crcKinds.crc64nvme);

function word(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value >>> 0);
  return bytes;
}

export function openCrc(name: keyof typeof crcKinds): Crc {
  switch (name) {
    case "crc32": {
      let value = 0;
      return {
        update(bytes) {
          value = zlibCrc32(bytes, value);
        },
        digest: () => word(value),
      };
    }
    case "crc32c": {
      let value = -1;
      return {
        update(bytes) {
          let crc = value;
          for (let at = 0; at < bytes.length; at++) crc = (crc >>> 8) ^ castagnoli[(crc ^ bytes[at]!) & 255]!;
          value = crc;
        },
        digest: () => word(~value),
      };
    }
    case "crc64nvme": {
      let lowValue = -1;
      let highValue = -1;
      return {
        update(bytes) {
          let low = lowValue;
          let high = highValue;
          for (let at = 0; at < bytes.length; at++) {
            const index = (low ^ bytes[at]!) & 255;
            low = ((low >>> 8) | (high << 24)) ^ nvme.low[index]!;
            high = (high >>> 8) ^ nvme.high[index]!;
          }
          lowValue = low;
          highValue = high;
        },
        digest: () => Buffer.concat([word(~highValue), word(~lowValue)]),
      };
    }
  }
}

/** Product of two polynomials modulo that of the check; the highest bit is the lowest power. */
function multiply({ bits, polynomial }: CrcKind, a: bigint, b: bigint): bigint {
  let product = 0n;
  let factor = b;
  for (let mask = 1n << BigInt(bits - 1); mask > 0n; mask >>= 1n) {
    if (a & mask) product ^= factor;
    factor = factor & 1n ? (factor >> 1n) ^ polynomial : factor >> 1n;
  }
  return product;
}

/** What so many bytes behind it do to a check, as a factor. */
function shiftOf(kind: CrcKind, bytes: number): bigint {
  let power = 1n << BigInt(kind.bits - 2); // x
  let shift = 1n << BigInt(kind.bits - 1); // 1
  for (let exponent = BigInt(bytes) * 8n; exponent > 0n; exponent >>= 1n) {
    if (exponent & 1n) shift = multiply(kind, shift, power);
    power = multiply(kind, power, power);
  }
  return shift;
}

/** The check of all parts behind each other, from the checks of each: no byte is read again. */
export function combineCrcs(
  name: keyof typeof crcKinds,
  parts: readonly { readonly digest: Buffer; readonly sizeBytes: number }[],
): Buffer {
  const kind = crcKinds[name];
  const shifts = new Map<number, bigint>(); // parts are mostly of one size
  let whole = 0n;
  for (const { digest, sizeBytes } of parts) {
    const shift = shifts.get(sizeBytes) ?? shiftOf(kind, sizeBytes);
    shifts.set(sizeBytes, shift);
    whole = multiply(kind, shift, whole) ^ BigInt(`0x${digest.toString("hex")}`);
  }
  return Buffer.from(whole.toString(16).padStart(kind.bits / 4, "0"), "hex");
}
