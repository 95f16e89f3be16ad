import { spawn } from "node:child_process";
import { createWriteStream, existsSync, realpathSync } from "node:fs";
import { constants } from "node:os";
import { basename, delimiter, dirname, join } from "node:path";
import { Refusal } from "./say.mjs";

/** @typedef {{ readonly command: string, readonly args: readonly string[] }} Npm */

/**
 * The npm that started us, else the one that came with this Node, else the one on the path.
 *
 * @param {NodeJS.ProcessEnv} env
 * @returns {Npm}
 */
export function findNpm(env = process.env) {
  const nodeDir = dirname(process.execPath);
  const scripts = [
    env.npm_execpath,
    join(nodeDir, "..", "lib", "node_modules", "npm", "bin", "npm-cli.js"),
    join(nodeDir, "node_modules", "npm", "bin", "npm-cli.js"),
    ...(env.PATH ?? "").split(delimiter).map((folder) => realPath(join(folder, "npm"))),
  ];
  // Only npm itself: run through yarn or pnpm the variable names those, and they do not read package-lock.json.
  const script = scripts.find((path) => path && basename(path) === "npm-cli.js" && existsSync(path));
  if (script) return { command: process.execPath, args: [script] };
  throw new Refusal(
    "npm is not installed: install Node with npm from https://nodejs.org, or add npm to your PATH, then run this again.",
  );
}

/** @param {string} path */
function realPath(path) {
  try {
    return realpathSync(path);
  } catch {
    return null;
  }
}

/** @typedef {{ readonly code: number, readonly tail: string }} NpmResult */

const tailLimitChars = 64_000;

/**
 * Runs npm with its whole output going to `log`.
 *
 * @param {Npm} npm @param {readonly string[]} args @param {string} cwd @param {string} log
 * @param {() => void} onFetch called for each package fetched, from the network or npm's cache
 * @returns {Promise<NpmResult>} exit code (128 + n when a signal ended it) and the end of what it said
 */
export function runNpm(npm, args, cwd, log, onFetch) {
  return new Promise((resolve, reject) => {
    const child = spawn(npm.command, [...npm.args, ...args, "--loglevel=http", "--no-progress", "--color=false"], {
      cwd,
      stdio: ["ignore", "pipe", "pipe"],
      env: npmEnvironment(process.env),
    });
    const file = createWriteStream(log, { mode: 0o600 });
    let tail = "";
    const read = (/** @type {string} */ text) => {
      file.write(text);
      tail = (tail + text).slice(-tailLimitChars);
      for (const _ of text.matchAll(/^npm http (?:fetch GET 200|cache) /gm)) onFetch();
    };
    child.stdout.setEncoding("utf8").on("data", read);
    child.stderr.setEncoding("utf8").on("data", read);
    const forward = (/** @type {NodeJS.Signals} */ signal) => child.kill(signal);
    process.on("SIGINT", forward).on("SIGTERM", forward);
    const settle = () => process.off("SIGINT", forward).off("SIGTERM", forward);
    child.on("error", (error) => {
      settle();
      reject(new Refusal(`Could not run npm: ${error.message}.`));
    });
    child.on("close", (code, signal) => {
      settle();
      file.end(() => resolve({ code: signal === null ? (code ?? 1) : 128 + constants.signals[signal], tail }));
    });
  });
}

/**
 * npm hands its own settings down to the scripts it runs. Those meant for the outer command (`--workspace`, `--omit`,
 * `--ignore-scripts` …) would change what the inner one installs.
 *
 * @param {NodeJS.ProcessEnv} env
 */
function npmEnvironment(env) {
  const kept = Object.entries(env).filter(
    ([name]) => !/^npm_config_(?:workspaces?|omit|include|only|production|global|prefix|dry_run)$/i.test(name),
  );
  return { ...Object.fromEntries(kept), NODE_ENV: "development" };
}

/** Why npm fails, by what it prints, and what to do. The first that matches is said. */
const causes = /** @type {const} */ ([
  [
    /ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|ERR_SOCKET_TIMEOUT|ENOTCACHED/,
    "npm could not reach the package registry: check the network, or your proxy settings (npm config get proxy, npm config get registry)",
  ],
  [/ENOSPC/, "the disk is full: free some space (about 500 MB are needed)"],
  [/EROFS|EACCES|EPERM/, "npm may not write here: run this as the folder's owner"],
  [
    /EUSAGE|can only install packages when your package\.json and package-lock\.json/,
    "package.json and package-lock.json disagree: run `npm install` and commit the lock file",
  ],
  [
    /EINTEGRITY/,
    "a downloaded package does not match its checksum: run `npm cache clean --force`; if it stays, the registry or a proxy alters packages",
  ],
  [/E401|E403/, "the registry refused us: check your npm credentials and registry setting"],
  [/E404|ETARGET/, "the registry does not have a package we need: check `npm config get registry`"],
  [
    /CERT_|SELF_SIGNED|UNABLE_TO_VERIFY/,
    "the registry's certificate is not trusted: set `npm config set cafile <file>` to your company's root certificate",
  ],
]);

/**
 * @param {NpmResult} result @param {string} log
 * @returns {string} what npm said without its chatter, then one line with the reason and what to do
 */
export function explainFailure(result, log) {
  if (result.code > 128) return "The install was interrupted; the next start begins it again.";
  const cause = causes.find(([pattern]) => pattern.test(errorsOf(result.tail)));
  // After a wrong call npm prints its whole manual, which buries the reason.
  const [reason = ""] = result.tail.split(/^npm error Clean install a project$/m);
  const said = reason.split("\n").filter((line) => !/^(?:|npm error|npm (?:http|warn).*)$/i.test(line));
  const why = cause === undefined ? `npm ended with code ${result.code}` : cause[1];
  return `${said.join("\n")}\n\nPackages could not be installed: ${why}. Then run this again.\nEverything npm said: ${log}`;
}

/** @param {string} output */
function errorsOf(output) {
  return output
    .split("\n")
    .filter((line) => /^npm err/i.test(line))
    .join("\n");
}
