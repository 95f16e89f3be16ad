/** Longest body that goes with its head, in one frame. */
export const wholeBytes = 8_388_608;
const pieceBytes = 65_536;

/** A body as it is sent: what is known whole and does not fit a frame goes piece by piece, as what streams. */
export function inPieces(body: Buffer | AsyncIterable<Buffer> | null): Buffer | AsyncIterable<Buffer> | null {
  return Buffer.isBuffer(body) && body.length > wholeBytes ? piecesOf(body) : body;
}

async function* piecesOf(body: Buffer): AsyncIterable<Buffer> {
  for (let at = 0; at < body.length; at += pieceBytes) yield body.subarray(at, at + pieceBytes);
}
