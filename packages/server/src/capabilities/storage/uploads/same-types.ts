/**
 * Names for what begins with the same bytes: several names of one format, or formats in one container that only a look further in, or none, tells
 * apart. By the names that bytes are recognised under (`file-type`) and those that phones and browsers give.
 */
const alike: readonly (readonly string[])[] = [
  ["image/jpeg", "image/jpg", "image/pjpeg"],
  ["image/png", "image/x-png", "image/apng", "image/vnd.mozilla.apng"],
  ["image/x-icon", "image/vnd.microsoft.icon", "image/ico"],
  ["image/bmp", "image/x-ms-bmp", "image/x-bmp"],
  ["image/heic", "image/heif", "image/heic-sequence", "image/heif-sequence"],
  ["image/vnd.adobe.photoshop", "image/x-photoshop", "application/x-photoshop"],
  ["audio/mpeg", "audio/mp3", "audio/x-mp3", "audio/mpeg3"],
  ["audio/wav", "audio/x-wav", "audio/wave", "audio/vnd.wave"],
  ["audio/aac", "audio/aacp", "audio/x-aac"],
  ["audio/flac", "audio/x-flac"],
  ["audio/aiff", "audio/x-aiff"],
  [
    "video/mp4",
    "audio/mp4",
    "audio/m4a",
    "audio/x-m4a",
    "video/x-m4v",
    "video/m4v",
    "video/quicktime",
    "video/3gpp",
    "audio/3gpp",
    "video/3gpp2",
    "audio/3gpp2",
    "application/mp4",
  ],
  ["video/matroska", "video/x-matroska", "audio/matroska", "audio/x-matroska", "video/webm", "audio/webm"],
  ["application/ogg", "audio/ogg", "video/ogg", "audio/opus", "audio/vorbis"],
  ["video/vnd.avi", "video/x-msvideo", "video/avi", "video/msvideo"],
  ["application/vnd.ms-asf", "video/x-ms-asf", "audio/x-ms-asf", "video/x-ms-wmv", "audio/x-ms-wma"],
  ["application/pdf", "application/x-pdf"],
  ["application/rtf", "text/rtf"],
  ["application/gzip", "application/x-gzip", "application/x-tar", "application/x-gtar", "application/x-compressed-tar"],
  ["application/x-rar-compressed", "application/vnd.rar", "application/x-rar"],
  [
    "application/x-cfb",
    "application/msword",
    "application/vnd.ms-excel",
    "application/vnd.ms-powerpoint",
    "application/vnd.ms-outlook",
    "application/vnd.visio",
  ],
];

/** What is a zip file inside: office documents, books, apps. */
const zipped =
  /^application\/(?:zip|x-zip|x-zip-compressed|java-archive|x-xpinstall|vnd\.(?:openxmlformats-|oasis\.|ms-.*\.macroenabled|android\.package|apple\.|google-earth\.kmz).*|.*\+zip)$/;
const marked = /^(?:(?:application|text)\/xml|.*\+xml)$/;

/** Whether bytes recognised as the one may be called the other. */
export function isSameType(one: string, other: string): boolean {
  if (one === other) return true;
  if (zipped.test(one) && zipped.test(other)) return true;
  if (marked.test(one) && marked.test(other)) return true;
  return alike.some((names) => names.includes(one) && names.includes(other));
}
