import { Problem, type ProblemOptions } from "../../kernel/problem.ts";
import type { DatabaseError } from "../../platform/postgres/session/types.ts";
import { problems } from "./problems.ts";

/** A refusal whose reason phrase the app chose. */
export class StatedProblem extends Problem {
  readonly statusText: string;

  constructor(code: string, status: number, statusText: string, message: string, options: ProblemOptions) {
    super(code, status, message, options);
    this.statusText = statusText;
  }
}

/** Statuses of the refusals that our own statements raise. */
const ownStatus: ReadonlyMap<string, number> = new Map([
  ["PGRST115", 400],
  ["PGRST116", 406],
  ["PGRST124", 400],
]);

/** SQLSTATE of `mainstay.reject`. */
export const rejectState = "MST01";

/** What an app's `raise`, or our own refusal inside a statement, means to say over HTTP; `null` for any other error. */
export function raisedProblem(error: DatabaseError): Problem | null {
  const { sqlstate } = error;
  if (sqlstate === rejectState) return ownRefusal(error);
  if (sqlstate === "PGRST") return fullyRaised(error);
  const status = /^PT(\d{3})$/.exec(sqlstate)?.[1];
  if (status === undefined || Number(status) < 100) return null;
  return new StatedProblem(sqlstate, Number(status), reasonPhrase(error.message), error.message, {
    details: error.detail,
    hint: error.hint,
  });
}

/** DETAIL is JSON: {code, message, details, hint}. An app may call `mainstay.reject` too; its codes answer 400. */
function ownRefusal({ message, detail }: DatabaseError): Problem {
  const said = parseObject(detail) ?? {};
  const code = textOf(said.code) ?? rejectState;
  return new Problem(code, ownStatus.get(code) ?? 400, textOf(said.message) ?? message, {
    details: textOf(said.details),
    hint: textOf(said.hint),
  });
}

/** `raise sqlstate 'PGRST'`: MESSAGE is the body, DETAIL the status and headers, both JSON. */
function fullyRaised({ message, detail }: DatabaseError): Problem {
  const body = parseObject(message);
  const envelope = parseObject(detail);
  const code = textOf(body?.code);
  const text = textOf(body?.message);
  const status = envelope?.status;
  const headers = envelope?.headers;
  const isStatus = typeof status === "number" && Number.isInteger(status) && status >= 200 && status <= 599;
  if (!body || !code || text === null || !isStatus || !isTextRecord(headers)) throw problems.malformedRaise();
  const options = { details: body.details ?? null, hint: textOf(body.hint), headers };
  return new StatedProblem(code, status, reasonPhrase(textOf(envelope?.status_text) ?? ""), text, options);
}

function parseObject(json: string | null): Readonly<Record<string, unknown>> | null {
  if (json === null) return null;
  try {
    const value: unknown = JSON.parse(json);
    return typeof value === "object" && value !== null && !Array.isArray(value)
      ? (value as Readonly<Record<string, unknown>>)
      : null;
  } catch {
    return null;
  }
}

function textOf(value: unknown): string | null {
  return typeof value === "string" ? value : null;
}

const headerName = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;

function isTextRecord(value: unknown): value is Readonly<Record<string, string>> {
  return (
    typeof value === "object" &&
    value !== null &&
    !Array.isArray(value) &&
    Object.entries(value).every(([name, text]) => headerName.test(name) && isHeaderValue(text))
  );
}

/** What may stand in a header: no control characters, and nothing a byte could not carry. */
export function isHeaderValue(value: unknown): value is string {
  return typeof value === "string" && /^[\t\x20-\x7e\x80-\xff]*$/.test(value);
}

export function isHeaderName(name: string): boolean {
  return headerName.test(name);
}

function reasonPhrase(text: string): string {
  return text.replace(/[^\x20-\x7e]/g, " ").trim();
}
