import { STATUS_CODES } from "node:http";

/** Numbers by name, `NotFound`, and texts by number, as std/http/status.ts has them. */
export const STATUS_TEXT: Readonly<Record<number, string>> = Object.fromEntries(
  Object.entries(STATUS_CODES).map(([code, text]) => [Number(code), text ?? ""]),
);

export const STATUS_CODE: Readonly<Record<string, number>> = Object.fromEntries(
  Object.entries(STATUS_TEXT).map(([code, text]) => [text.replace(/[^A-Za-z]/g, ""), Number(code)]),
);

export const Status = STATUS_CODE;
