/** A mail is somebody else's document: it may show itself, and links open beside it. Nothing in it runs or is sent anywhere. */
export const mailHeaders: readonly string[] = [
  "Content-Type",
  "text/html; charset=utf-8",
  "Content-Security-Policy",
  "sandbox allow-popups allow-popups-to-escape-sandbox; default-src 'none'; img-src data: https: http:; " +
    "style-src 'unsafe-inline' https:; font-src data: https:; form-action 'none'; base-uri 'none'; frame-ancestors 'self'",
  "Referrer-Policy",
  "no-referrer",
  "X-Content-Type-Options",
  "nosniff",
  "Cache-Control",
  "no-store",
];

/** The mail, whose links open in a tab of their own: in its frame the next page would be shut in too. */
export function mailDocument(html: string): string {
  const base = '<base target="_blank">';
  const head = /<head(?:\s[^>]*)?>/i.exec(html) ?? /<html(?:\s[^>]*)?>/i.exec(html) ?? /<!doctype[^>]*>/i.exec(html);
  if (head === null) return `<!doctype html>${base}${html}`;
  const at = head.index + head[0].length;
  return html.slice(0, at) + base + html.slice(at);
}
