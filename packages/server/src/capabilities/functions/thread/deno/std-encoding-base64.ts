/** std/encoding/base64.ts, under its names then and now. */
export function encodeBase64(data: string | ArrayBuffer | Uint8Array): string {
  return bytesOf(data).toString("base64");
}

export function decodeBase64(text: string): Uint8Array {
  if (!/^[A-Za-z0-9+/\s]*={0,2}\s*$/.test(text)) throw new TypeError("Failed to decode base64");
  return new Uint8Array(Buffer.from(text, "base64"));
}

export { decodeBase64 as decode, encodeBase64 as encode };

const bytesOf = (data: string | ArrayBuffer | Uint8Array): Buffer =>
  typeof data === "string"
    ? Buffer.from(data)
    : data instanceof ArrayBuffer
      ? Buffer.from(data)
      : Buffer.from(data.buffer, data.byteOffset, data.byteLength);
