import { readFileSync } from "node:fs";
import type { Route } from "../../../kernel/route.ts";

/** Only what comes from here, and mails shut in frames. */
const policy =
  "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; frame-src 'self'; img-src 'self' data:; " +
  "base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const headers = (type: string): readonly string[] => [
  "Content-Type",
  `${type}; charset=utf-8`,
  "Content-Security-Policy",
  policy,
  "Referrer-Policy",
  "no-referrer",
  "X-Content-Type-Options",
  "nosniff",
  "Cross-Origin-Opener-Policy",
  "same-origin",
  "Cross-Origin-Resource-Policy",
  "same-origin",
  "Cache-Control",
  "no-store",
];

/** The page and what it is made of: the files in `page/`. */
export function pageRoutes(): readonly Route[] {
  const file = (path: string, name: string, type: string, summary: string): Route => {
    const body = readFileSync(new URL(`./page/${name}`, import.meta.url), "utf8");
    return {
      method: "GET",
      path,
      access: "open",
      summary,
      handle: () => ({ status: 200, headers: headers(type), body }),
    };
  };
  return [
    file("/", "inbox.html", "text/html", "The inbox of development, to look at."),
    file("/inbox.js", "inbox.js", "text/javascript", "The inbox page's script."),
    file("/inbox.css", "inbox.css", "text/css", "The inbox page's style."),
  ];
}
