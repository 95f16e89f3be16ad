/** How a file's type is told to a browser, so that nothing in it runs as our origin (threat S04). */
export interface ServedType {
  readonly contentType: string;
  /** Whether a browser is to save it instead of showing it, where the request does not say so itself. */
  readonly isAttachment: boolean;
  /** What the file may do that is opened by itself, as `Content-Security-Policy` has it. Pages that embed it are not bound by this. */
  readonly policy: string;
}

const unknownType = "application/octet-stream";
/** What a header may say. */
const headerType = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+\/[!#$%&'*+.^_`|~0-9A-Za-z-]+(?:\s*;[\t\x20-\x7e]*)?$/;
/** What browsers show without running anything of it as a page. */
const shown =
  /^(?:(?:image|audio|video|font|model)\/|text\/(?!xml$|xsl)|application\/(?:json|pdf|javascript|ecmascript|wasm|ogg|mp4|vnd\.apple\.mpegurl|x-mpegurl|x-font-|font-|(?:ld|geo|manifest|vnd\.api)\+json)|application\/(?:geo|ld|manifest)\+json$)/;
/** Parts of a stream that phones and encoders upload without saying what they are: players ask the type. */
const byExtension: Readonly<Record<string, string>> = {
  m3u8: "application/vnd.apple.mpegurl",
  ts: "video/mp2t",
  m4s: "video/iso.segment",
  mpd: "application/dash+xml",
  vtt: "text/vtt",
};

/** `contentType` as it is stored, `name` of the object. */
export function servedTypeOf(contentType: string, name: string): ServedType {
  const stored = headerType.test(contentType) ? contentType : unknownType;
  const small = stored.toLowerCase();
  // Protocols, serving headers: whatever has HTML in its type is plain text.
  if (small.includes("text/html")) return { contentType: "text/plain", isAttachment: false, policy: sandboxPolicy };
  const essence = small.split(";", 1)[0]!.trim();
  const known = essence === unknownType ? byExtension[name.slice(name.lastIndexOf(".") + 1).toLowerCase()] : undefined;
  const type = known ?? essence;
  const isMarkup = /[/+]xml$/.test(type) && type !== "image/svg+xml";
  return {
    contentType: known ?? stored,
    isAttachment: isMarkup || !shown.test(type),
    policy: type === "application/pdf" ? pdfPolicy : sandboxPolicy,
  };
}

/** Show, with what it has within and plays of itself; no script, no form, no origin. */
const sandboxPolicy =
  "sandbox; default-src 'none'; img-src 'self' data:; media-src 'self' data:; style-src 'unsafe-inline'; font-src data:";
/**
 * Viewers of PDF are the browser's own, and run what a document has without any rights of our origin. Chromium's opens in a sandbox too (156, seen);
 * of viewers that are plugins it is known that they do not. So it is one without: no script may run beside the viewer.
 */
const pdfPolicy = "script-src 'none'; object-src 'self'; base-uri 'none'; form-action 'none'";
