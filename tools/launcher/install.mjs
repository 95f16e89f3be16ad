import { accessSync, constants, existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { holdLock } from "./hold-lock.mjs";
import { isInstalled, packagesOf, stampPath, writeStamp } from "./installed.mjs";
import { explainFailure, findNpm, runNpm } from "./npm.mjs";
import { progressLine, Refusal } from "./say.mjs";

/**
 * `npm ci`, said in one line that moves. Two at once: the second waits for the first and finds nothing left to do.
 *
 * @param {string} root
 */
export async function install(root) {
  const state = join(root, ".mainstay");
  const reason = reasonToInstall(root);
  const npm = findNpm();
  refuseReadOnly(root, reason);
  mkdirSync(state, { recursive: true, mode: 0o700 });
  const line = progressLine();
  const release = await holdLock(join(state, "install.lock"), (pid) =>
    line.begin(`Another install is running here (pid ${pid}); waiting for it …`),
  );
  const onSignal = release.onSignal();
  try {
    if (isInstalled(root)) return line.finish(null);
    await installNow(root, npm, join(state, "npm-install.log"), reason, line);
    writeStamp(root);
  } finally {
    onSignal.off();
    release();
  }
}

/**
 * @param {string} root @param {import("./npm.mjs").Npm} npm @param {string} log @param {string} reason
 * @param {ReturnType<typeof progressLine>} line
 */
async function installNow(root, npm, log, reason, line) {
  const total = Object.keys(packagesOf(join(root, "package-lock.json")) ?? {}).filter((path) =>
    path.includes("node_modules/"),
  ).length;
  const begun = performance.now();
  const seconds = () => Math.round((performance.now() - begun) / 1000);
  line.begin(`Installing ${total} packages (${reason}) …`);
  let fetched = 0;
  const tick = setInterval(() => {
    line.show(`Installing packages (${reason}): ${Math.min(fetched, total)} of ${total} fetched, ${seconds()} s`);
  }, 250);
  const result = await runNpm(
    npm,
    ["ci", "--include=dev", "--include=optional", "--no-audit", "--no-fund"],
    root,
    log,
    () => {
      fetched += 1;
    },
  ).finally(() => clearInterval(tick));
  if (result.code !== 0) {
    line.finish(null);
    throw new Refusal(explainFailure(result, log), result.code > 128 ? result.code : 1);
  }
  line.finish(`Installed ${total} packages in ${seconds()} s.`);
}

/** @param {string} root */
function reasonToInstall(root) {
  if (!existsSync(join(root, "node_modules"))) return "first start";
  if (existsSync(stampPath(root))) return "package-lock.json changed";
  return "the last install did not finish";
}

/** @param {string} root @param {string} reason */
function refuseReadOnly(root, reason) {
  try {
    accessSync(root, constants.W_OK);
    if (existsSync(join(root, "node_modules"))) accessSync(join(root, "node_modules"), constants.W_OK);
  } catch {
    throw new Refusal(
      `Packages must be installed (${reason}), but ${root} is not writable: run this once as the folder's owner, or copy it to a folder of your own.`,
    );
  }
}
