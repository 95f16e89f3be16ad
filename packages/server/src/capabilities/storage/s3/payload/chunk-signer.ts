import { problems } from "../problems.ts";
import { isSame, scopeText, sha256Hex, sign } from "../signature/signing.ts";
import type { Verified } from "../signature/verify.ts";

/** Verifies the signatures of a body's chunks, each of which goes on from the one before: none can be left out, doubled or moved. */
export interface ChunkSigner {
  /** @param hash SHA-256 of the chunk, in hex. @throws Problem `SignatureDoesNotMatch` */
  chunk(signature: string, hash: string): void;
  /** @param lines the trailers as they are signed. @throws Problem `SignatureDoesNotMatch` */
  trailer(signature: string, lines: string): void;
}

const emptyHash = sha256Hex("");

/** Goes on from the signature of the request. */
export function createChunkSigner({ key, scope, time, signature }: Verified): ChunkSigner {
  let previous = signature;
  const check = (kind: "PAYLOAD" | "TRAILER", given: string, rest: string): void => {
    const wanted = sign(key, `AWS4-HMAC-SHA256-${kind}\n${time}\n${scopeText(scope)}\n${previous}\n${rest}`);
    if (!isSame(given, wanted)) throw problems.signatureDoesNotMatch();
    previous = wanted;
  };
  return {
    chunk: (given, hash) => check("PAYLOAD", given, `${emptyHash}\n${hash}`),
    trailer: (given, lines) => check("TRAILER", given, sha256Hex(lines)),
  };
}
