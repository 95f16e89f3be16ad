/** std/encoding/hex.ts: `encode` of old gives bytes, `encodeHex` text. */
export function encodeHex(data: string | ArrayBuffer | Uint8Array): string {
  if (typeof data === "string") return Buffer.from(data).toString("hex");
  const bytes = data instanceof ArrayBuffer ? new Uint8Array(data) : data;
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("hex");
}

export function decodeHex(text: string): Uint8Array {
  if (text.length % 2 !== 0 || /[^0-9a-f]/i.test(text)) throw new TypeError("Failed to decode hex");
  return new Uint8Array(Buffer.from(text, "hex"));
}

export const encode = (bytes: Uint8Array): Uint8Array => new TextEncoder().encode(encodeHex(bytes));
export const decode = (text: Uint8Array): Uint8Array => decodeHex(new TextDecoder().decode(text));
export const encodeToString = encodeHex;
export const decodeString = decodeHex;
