/** Formats that are read. Others never reach a decoder: each of those is a large piece of foreign code. */
export type ImageKind = "jpeg" | "png" | "webp" | "gif" | "avif" | "tiff";

/** How many bytes of a file tell which it is. */
export const kindBytes = 64;

const startsWith = (head: Buffer, bytes: string, at = 0): boolean =>
  head.toString("latin1", at, at + bytes.length) === bytes;

/** What an image is, by its first `kindBytes` bytes, whatever it was called; `null` for what is not read. */
export function imageKindOf(head: Buffer): ImageKind | null {
  if (startsWith(head, "\xff\xd8\xff")) return "jpeg";
  if (startsWith(head, "\x89PNG\r\n\x1a\n")) return "png";
  if (startsWith(head, "RIFF") && startsWith(head, "WEBP", 8)) return "webp";
  if (startsWith(head, "GIF87a") || startsWith(head, "GIF89a")) return "gif";
  if (startsWith(head, "II*\0") || startsWith(head, "MM\0*")) return "tiff";
  // ISO/IEC 14496-12: the brands of a file stand in its first box.
  if (head.length >= 16 && startsWith(head, "ftyp", 4)) {
    const brands = head.toString("latin1", 8, Math.min(head.readUInt32BE(0), head.length));
    return /avi[fs]/.test(brands) ? "avif" : null;
  }
  return null;
}
