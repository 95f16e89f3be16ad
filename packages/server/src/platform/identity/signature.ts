/** Bytes of a P-256 number. */
const numberBytes = 32;

/**
 * The two numbers of an ECDSA signature side by side, as JWS wants them (RFC 7518 §3.4), from the DER that OpenSSL gives. Node
 * would convert too (`dsaEncoding`), but a key that comes with options costs it twice the time of the signature.
 */
export function rawSignature(der: Buffer): Buffer {
  const raw = Buffer.alloc(2 * numberBytes);
  // SEQUENCE { INTEGER r, INTEGER s }: below 128 bytes, so every length is one byte. A number may have a zero in front, or be short.
  let at = 2;
  for (let end = numberBytes; end <= raw.length; end += numberBytes) {
    const length = der[at + 1]!;
    const from = at + 2 + Math.max(0, length - numberBytes);
    const to = at + 2 + length;
    der.copy(raw, end - (to - from), from, to);
    at = to;
  }
  return raw;
}
