import { CommandError, exitCodes } from "../cli.ts";
import { isPortFree, nextFreePort, portHolder } from "./port.ts";

export interface ChosenPort {
  readonly port: number;
  /** Said to the person when it is not the one they asked for; `null` otherwise. */
  readonly notice: string | null;
}

/**
 * The port to serve on. Busy: `dev` takes the next free one and says so; `start` refuses, since what finds us there (a load
 * balancer, an app in a store) would not follow.
 * @throws CommandError naming who has the port
 */
export async function choosePort(port: number, host: string, mode: "dev" | "start"): Promise<ChosenPort> {
  if (port === 0 || (await isPortFree(port, host))) return { port, notice: null };
  const holder = portHolder(port);
  const who = holder === null ? "another process" : `process ${holder.pid} (${holder.command})`;
  const next = await nextFreePort(port, host);
  if (mode === "dev" && next !== null) {
    return { port: next, notice: `Port ${port} is used by ${who}: serving on ${next}.` };
  }
  throw new CommandError(`Port ${port} of ${host} is used by ${who}.`, {
    hint:
      next === null
        ? "Stop it, or give another port with --port."
        : `Stop it, or serve on another port: --port ${next}`,
    exitCode: exitCodes.busy,
  });
}
