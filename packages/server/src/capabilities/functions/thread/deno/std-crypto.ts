import { timingSafeEqual as equal } from "node:crypto";

const bytesOf = (data: ArrayBuffer | ArrayBufferView): Uint8Array =>
  ArrayBuffer.isView(data) ? new Uint8Array(data.buffer, data.byteOffset, data.byteLength) : new Uint8Array(data);

/** std/crypto: what the runtime has itself. */
export const crypto = globalThis.crypto;

export const timingSafeEqual = (one: ArrayBuffer | ArrayBufferView, other: ArrayBuffer | ArrayBufferView): boolean => {
  const [left, right] = [bytesOf(one), bytesOf(other)];
  return left.byteLength === right.byteLength && equal(left, right);
};
