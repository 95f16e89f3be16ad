import { problems } from "../problems.ts";
import { essenceOf, isAllowedType } from "./mime-types.ts";
import { isSameType } from "./same-types.ts";

/** How many bytes of a file tell what it is. */
export const headBytes = 4_100;

/** What bytes are, by their beginning; `null` when it is not known, as for all text. */
async function typeOf(head: Buffer): Promise<string | null> {
  // Loaded when the first bucket asks: most restrict nothing.
  const { fileTypeFromBuffer } = await import("file-type");
  // It throws on some beginnings that go no further: those are not known either.
  const found = await fileTypeFromBuffer(head).catch(() => undefined);
  return found === undefined ? null : essenceOf(found.mime);
}

/** Text with markup in it, as every SVG is. Bytes that no text has tell that it is none. */
function looksLikeMarkup(head: Buffer): boolean {
  const text = head
    .toString("utf8")
    .replace(/^\uFEFF/, "")
    .trimStart();
  return text.startsWith("<") && !text.includes("\0");
}

/**
 * Refuses bytes that are not what they are said to be, where a bucket restricts types: what they are recognised as must be allowed too, and
 * what is called an image must be one. Bytes that nothing recognises (text, most of all) go by their name: how they are served protects readers.
 * @throws Problem `InvalidMimeType`
 */
export async function checkBytes(declared: string, allowed: readonly string[], head: Buffer): Promise<void> {
  const type = essenceOf(declared);
  const found = await typeOf(head);
  if (found !== null && !isAllowedType(found, allowed) && !isSameType(found, type))
    throw problems.invalidMimeType(found);
  if (!type.startsWith("image/")) return;
  const isImage =
    type === "image/svg+xml"
      ? (found === null || isSameType(found, type)) && looksLikeMarkup(head)
      : found === null
        ? !(await isRecognised(type))
        : found.startsWith("image/") || isSameType(found, type);
  if (!isImage) throw problems.invalidMimeType(found ?? "application/octet-stream");
}

/** Whether files of that type are known by their beginning, so that one that is not known is none. */
async function isRecognised(type: string): Promise<boolean> {
  const { supportedMimeTypes } = await import("file-type");
  return supportedMimeTypes.has(type as never) || [...supportedMimeTypes].some((known) => isSameType(known, type));
}
