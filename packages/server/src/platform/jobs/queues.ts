import { SettingError } from "../../kernel/settings.ts";

export interface QueueLimits {
  readonly name: string;
  /** Jobs at once, over all nodes; `null`: without limit. */
  readonly concurrency: number | null;
  readonly isPaused: boolean;
}

/** The setting `jobsQueues`. @throws SettingError */
export function readQueues(value: Readonly<Record<string, unknown>>): readonly QueueLimits[] {
  return Object.entries(value).map(([name, given]) => {
    const refuse = (what: string): never => {
      throw new SettingError(`jobsQueues: the queue "${name}" must ${what}.`);
    };
    if (typeof given !== "object" || given === null || Array.isArray(given)) {
      return refuse('be an object, like {"concurrency": 4}');
    }
    if (name === "" || name.length > 200) return refuse("have a name of 1 to 200 characters");
    const stray = Object.keys(given).find((key) => key !== "concurrency" && key !== "paused");
    if (stray !== undefined) return refuse(`not have "${stray}": there are "concurrency" and "paused"`);
    const { concurrency = null, paused = false } = given as { concurrency?: unknown; paused?: unknown };
    if (concurrency !== null && !(Number.isInteger(concurrency) && (concurrency as number) >= 1)) {
      return refuse("have a concurrency of at least 1");
    }
    if (typeof paused !== "boolean") return refuse("be paused or not: true or false");
    return { name, concurrency: concurrency as number | null, isPaused: paused };
  });
}
