import { problems } from "./problems.ts";

/** Which part of a list is asked for, counted from 1. */
export interface Page {
  readonly page: number;
  readonly perPage: number;
}

const defaultPerPage = 50;
const maxPerPage = 1_000;

/** GoTrue's `page` and `per_page`; an empty text means the default, as clients send it. @throws Problem for what is no number from 1 */
export function pageOf(query: URLSearchParams): Page {
  return {
    page: numberOf(query.get("page"), 1, Number.MAX_SAFE_INTEGER / maxPerPage),
    perPage: numberOf(query.get("per_page"), defaultPerPage, maxPerPage),
  };
}

function numberOf(text: string | null, fallback: number, max: number): number {
  if (text === null || text === "") return fallback;
  const value = Number(text);
  if (!/^\d{1,15}$/.test(text) || value < 1) throw problems.validationFailed("Bad Pagination Parameters");
  return Math.min(value, Math.floor(max));
}

/**
 * `X-Total-Count` and `Link` (RFC 8288). Clients take the digits right after `page=`, so it is the first parameter.
 * @param path Of the list, below the mount
 * @param more Other parameters of the request, to be kept
 */
export function pageHeaders(
  path: string,
  { page, perPage }: Page,
  total: number,
  more: readonly [string, string][] = [],
) {
  const last = Math.max(1, Math.ceil(total / perPage));
  const rest = more.map(([name, value]) => `&${name}=${encodeURIComponent(value)}`).join("");
  const link = (target: number, relation: string) =>
    `<${path}?page=${target}&per_page=${perPage}${rest}>; rel="${relation}"`;
  const links = page < last ? `${link(page + 1, "next")}, ${link(last, "last")}` : link(last, "last");
  return ["X-Total-Count", String(total), "Link", links];
}
