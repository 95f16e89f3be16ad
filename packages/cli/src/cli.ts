/** The world a command runs in. Commands take it as a value, and touch `process` nowhere else. */
export interface Cli {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Absolute; `--dir` is taken from here. */
  readonly cwd: string;
  /** Results: what a script reads. */
  readonly out: Stream;
  /** Progress, warnings, failures: what a person reads. */
  readonly err: Stream;
  /** `--debug` was given: stacks are shown. */
  readonly isDebug: boolean;
  /** A person is at the other end of standard input and output. */
  readonly isInteractive: boolean;
}

export interface Stream {
  write(text: string | Uint8Array): unknown;
  readonly isTTY?: boolean;
  readonly columns?: number;
}

/** What every command ends with. Documented in `--help`; scripts rely on the numbers. */
export const exitCodes = {
  ok: 0,
  /** It ran and did not succeed. */
  failed: 1,
  /** Called wrongly: unknown command, option or argument. */
  usage: 2,
  /** A setting, the config file or the project folder is not usable as it is. */
  configuration: 3,
  /** The port or the project folder is in use by another process. */
  busy: 4,
  /** Ended by Ctrl-C: 128 + SIGINT, as a shell says it. */
  interrupted: 130,
} as const;

/** A failure a command can name: one line for what went wrong, one for what to do. */
export class CommandError extends Error {
  override readonly name = "CommandError";
  readonly hint: string | null;
  readonly exitCode: number;

  constructor(
    message: string,
    options: { readonly hint?: string; readonly exitCode?: number; readonly cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.hint = options.hint ?? null;
    this.exitCode = options.exitCode ?? exitCodes.failed;
  }
}
