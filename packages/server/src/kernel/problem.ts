/** What a Problem may carry besides its code, status and message. */
export interface ProblemOptions {
  /** What to do next, for the person who reads it. */
  readonly hint?: string | null;
  /** More about this occurrence. Any JSON: some dialects put a list here. */
  readonly details?: unknown;
  /** Response headers that belong to the refusal, as name/value pairs: `Retry-After`, `WWW-Authenticate`. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly cause?: unknown;
}

/**
 * The one error type inside. It names what went wrong in a code that is forever; only a boundary turns it into bytes.
 * Anything else that is thrown is a bug of ours: logged whole, shown as `internal`.
 */
export class Problem extends Error {
  override readonly name = "Problem";
  /** `area/what-went-wrong`, or the foreign dialect's own code where one exists (`PGRST116`, a SQLSTATE). */
  readonly code: string;
  /** HTTP status, 400 to 599, or 300 where a dialect answers a choice. */
  readonly status: number;
  readonly hint: string | null;
  readonly details: unknown;
  readonly headers: Readonly<Record<string, string>>;

  constructor(code: string, status: number, message: string, options: ProblemOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.status = status;
    this.hint = options.hint ?? null;
    this.details = options.details ?? null;
    this.headers = options.headers ?? {};
  }
}
