import type { Boundary } from "../../../kernel/route.ts";

/** Whoever follows a link reads a sentence; there is no program that would want more. */
export const siteBoundary: Boundary = {
  name: "site",
  render: ({ status, message, headers }, call) => ({
    status,
    headers: [
      ...[
        "Content-Type",
        "text/plain; charset=utf-8",
        "X-Content-Type-Options",
        "nosniff",
        "Cache-Control",
        "no-cache",
      ],
      ...Object.entries(headers).flat(),
    ],
    body: call?.method === "HEAD" ? null : `${message}\n`,
  }),
};
