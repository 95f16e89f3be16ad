const text = (type: string): string => `${type}; charset=utf-8`;

/** Types of what web sites are made of, by the ending of a name. What is not here is `application/octet-stream`: nosniff makes it a download. */
const byEnding: Readonly<Record<string, string>> = {
  html: text("text/html"),
  htm: text("text/html"),
  css: text("text/css"),
  js: text("text/javascript"),
  mjs: text("text/javascript"),
  json: text("application/json"),
  map: text("application/json"),
  webmanifest: text("application/manifest+json"),
  xml: text("application/xml"),
  txt: text("text/plain"),
  md: text("text/markdown"),
  csv: text("text/csv"),
  ics: text("text/calendar"),
  vtt: text("text/vtt"),
  svg: text("image/svg+xml"),
  png: "image/png",
  jpg: "image/jpeg",
  jpeg: "image/jpeg",
  gif: "image/gif",
  webp: "image/webp",
  avif: "image/avif",
  ico: "image/x-icon",
  woff: "font/woff",
  woff2: "font/woff2",
  ttf: "font/ttf",
  otf: "font/otf",
  mp3: "audio/mpeg",
  m4a: "audio/mp4",
  ogg: "audio/ogg",
  wav: "audio/wav",
  mp4: "video/mp4",
  webm: "video/webm",
  mov: "video/quicktime",
  pdf: "application/pdf",
  wasm: "application/wasm",
  zip: "application/zip",
};

/** What Apple reads without any ending, and takes only as JSON. */
const byName: Readonly<Record<string, string>> = { "apple-app-site-association": "application/json" };

/** The `Content-Type` of a path; `null` where its name says nothing. */
export function typeByName(path: string): string | null {
  const name = path.slice(path.lastIndexOf("/") + 1);
  const dot = name.lastIndexOf(".");
  const table = dot === -1 ? byName : byEnding;
  const key = dot === -1 ? name : name.slice(dot + 1).toLowerCase();
  return Object.hasOwn(table, key) ? table[key]! : null;
}

/** Whether a smaller variant may lie beside it: media and archives are compressed already. */
export const isCompressible = (contentType: string): boolean =>
  /^(?:text\/|application\/(?:json|xml|wasm|manifest\+json)|image\/svg|font\/[to]tf)/.test(contentType);
