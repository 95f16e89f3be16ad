import type { Config } from "@mainstay/server";
import type { Cli } from "../cli.ts";
import { describeFailure } from "../output/failure.ts";

/** One line of the report. */
export interface Finding {
  /** Stable, for scripts: `node`, `disk`, `port` … */
  readonly name: string;
  /** `warn`: it works, and should be looked at. `fail`: something does not work. */
  readonly state: "ok" | "warn" | "fail";
  /** What was found, in a sentence without its full stop. */
  readonly found: string;
  /** What to do; `null` when nothing is. */
  readonly remedy: string | null;
}

export interface DoctorContext {
  readonly cli: Cli;
  /** Absolute. */
  readonly projectDir: string;
  /** `null` when the configuration cannot be read: a finding of its own says why. */
  readonly config: Config | null;
}

export type Check = (context: DoctorContext) => Promise<readonly Finding[]> | readonly Finding[];

export const ok = (name: string, found: string): Finding => ({ name, state: "ok", found, remedy: null });
export const warn = (name: string, found: string, remedy: string): Finding => ({ name, state: "warn", found, remedy });
export const fail = (name: string, found: string, remedy: string): Finding => ({ name, state: "fail", found, remedy });

/** A check that breaks is a finding too: one that ends the report would hide all others. */
export async function guarded(name: string, check: Check, context: DoctorContext): Promise<readonly Finding[]> {
  try {
    return await check(context);
  } catch (error) {
    const { message, hint } = describeFailure(error);
    return [fail(name, message, hint ?? "Run mainstay doctor --debug.")];
  }
}
