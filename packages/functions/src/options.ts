/** Limits of one function. What is left out is as the server's settings say: `functionsTimeoutMs`, `functionsMemoryMb`, `functionsConcurrency`. */
export interface RunOptions {
  /** Longest run in ms, from the first byte of the request to the last of the answer. Of jobs: unlimited when left out. */
  readonly timeoutMs?: number;
  /** Memory of the thread that runs it, in MiB. */
  readonly memoryMb?: number;
  /** Runs at once on one node. */
  readonly concurrency?: number;
}

export interface ServeOptions extends RunOptions {
  /** Whether callers need a key or token of this project. True when left out. */
  readonly verifyJwt?: boolean;
  /** Whether the function answers browsers' preflights itself. Left out, the server does, and lets pages of all allowed origins call. */
  readonly ownsPreflight?: boolean;
  /** Invocations that may wait in one thread at the same time; 1, the default, gives each its own while it waits. */
  readonly sharedBy?: number;
}

export interface JobOptions extends RunOptions {
  readonly queue?: string;
  readonly priority?: number;
  /** Attempts in all; 10 when left out. */
  readonly maxAttempts?: number;
  /** Wait before the second attempt in ms; it doubles with each further one, up to `retryMaxMs`, and varies by half. */
  readonly retryFirstMs?: number;
  readonly retryMaxMs?: number;
  /**
   * Whether each of them is kept for `jobsKeepDoneMs` once it is done, for `ctx.jobs.get`: true for `job`, false for `cron`. Of all others
   * those are that have a key or a result. One that failed an attempt is kept in any case.
   */
  readonly keepsDone?: boolean;
}

export interface CronOptions extends JobOptions {
  /** Stays the same when the file moves. `<file>/<expression>` when left out. */
  readonly name?: string;
  /** IANA: `Europe/Berlin`. `UTC` when left out. */
  readonly timeZone?: string;
  /** What to do about runs that were due while nobody was there: the last of them, each, or none. `once` when left out. */
  readonly missed?: "once" | "all" | "skip";
}

export interface WebhookOptions extends JobOptions {
  /** Whose signature it is. `hmac` takes the rest from `signature`. */
  readonly provider: "stripe" | "github" | "standard" | "hmac";
  /** Name of the secret in `ctx.secrets`; several in it are divided by `|`. */
  readonly secret: string;
  /** How far the sender's time may be from ours, where it signs one; 300 s when left out. */
  readonly toleranceSeconds?: number;
  /** Of `hmac`: which header has the signature, and how it is made. */
  readonly signature?: {
    readonly header: string;
    readonly algorithm?: "sha256" | "sha1" | "sha512";
    readonly encoding?: "hex" | "base64";
    /** What stands before the signature: `sha256=`. */
    readonly prefix?: string;
  };
  /** Of `hmac`: the header, or the dotted path in the JSON body, that has the event's id. */
  readonly id?: { readonly header: string } | { readonly path: string };
}
