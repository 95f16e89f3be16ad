import { spawn } from "node:child_process";
import { constants } from "node:os";
import { Refusal } from "./say.mjs";

/** @typedef {import("./tasks.mjs").Command} Command */

const forwarded = /** @type {const} */ (["SIGINT", "SIGTERM", "SIGHUP"]);

/**
 * Runs the commands in order until one fails, with our terminal as theirs.
 *
 * @param {string} node @param {readonly Command[]} commands @param {string} cwd
 * @returns {Promise<number>} the first exit code that is not 0
 */
export async function runAll(node, commands, cwd) {
  for (const command of commands) {
    const code = await run(node, command, cwd);
    if (code !== 0) return code;
  }
  return 0;
}

/**
 * Stands in for `exec`, which Node 20 does not have: signals go through, the exit code comes back, and we never leave
 * before the child does. The child shares our process group, so a Ctrl-C at the terminal reaches it twice, from the
 * terminal and from us; a child that counts them (a second one forces) has to take two within a moment for one.
 *
 * @param {string} node @param {Command} command @param {string} cwd
 * @returns {Promise<number>} a child ended by a signal gives 128 + its number, as a shell says it
 */
export function run(node, command, cwd) {
  return new Promise((resolve, reject) => {
    const child = spawn(node, [command.file, ...command.args], {
      cwd,
      // The channel carries nothing: a server sees it close when we are killed with -9, and stops instead of lingering.
      stdio: command.isServer ? ["inherit", "inherit", "inherit", "ipc"] : "inherit",
      env: { ...process.env, MAINSTAY_LAUNCHED: "1" },
    });
    const forward = (/** @type {NodeJS.Signals} */ signal) => child.kill(signal);
    for (const signal of forwarded) process.on(signal, forward);
    const settle = () => {
      for (const signal of forwarded) process.off(signal, forward);
    };
    child.on("error", (error) => {
      settle();
      reject(new Refusal(`Could not run ${node}: ${error.message}.`));
    });
    child.on("exit", (code, signal) => {
      settle();
      resolve(signal === null ? (code ?? 1) : 128 + constants.signals[signal]);
    });
  });
}
