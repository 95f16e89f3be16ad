import { linkSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

const pollMs = 200;

/**
 * Takes a lock file, waiting while a live process holds it. The file names its holder by pid and start time, so that
 * neither a crash nor a recycled pid can hold it for ever.
 *
 * @param {string} path
 * @param {(pid: number) => void} onWait called once, when there is somebody to wait for
 */
export async function holdLock(path, onWait) {
  const mine = `${process.pid} ${startTime(process.pid)}\n`;
  for (let isWaiting = false; !take(path, mine); ) {
    const holder = readText(path);
    if (holder === null) continue;
    const pid = Number.parseInt(holder, 10);
    if (isHeld(holder)) {
      if (!isWaiting) onWait(pid);
      isWaiting = true;
      await sleep(pollMs);
    } else {
      discard(path, holder);
    }
  }
  const release = () => {
    if (readText(path) === mine) rmSync(path, { force: true });
  };
  /** Lets go when we are told to end before we are done. npm itself is told by the terminal, or by `runNpm`. */
  release.onSignal = () => {
    process.once("exit", release);
    return { off: () => process.off("exit", release) };
  };
  return release;
}

/** @param {string} path @param {string} text @returns {boolean} */
function take(path, text) {
  try {
    writeFileSync(path, text, { flag: "wx" });
    return true;
  } catch (error) {
    if (/** @type {NodeJS.ErrnoException} */ (error).code === "EEXIST") return false;
    throw error;
  }
}

/**
 * Removes a dead holder's file, and only that one: between our look and our hand another may have taken the lock, so it
 * is moved aside first (atomic) and put back when it turns out to be someone else's.
 *
 * @param {string} path @param {string} expected
 */
function discard(path, expected) {
  const aside = `${path}.${process.pid}`;
  try {
    renameSync(path, aside);
    if (readText(aside) !== expected) linkSync(aside, path);
  } catch {
    // Somebody else was quicker: the next round sees what they made of it.
  }
  rmSync(aside, { force: true });
}

/** @param {string} holder */
function isHeld(holder) {
  const [pid, started] = holder.trim().split(" ");
  try {
    process.kill(Number(pid), 0);
  } catch (error) {
    if (/** @type {NodeJS.ErrnoException} */ (error).code !== "EPERM") return false;
  }
  return started === startTime(Number(pid));
}

/**
 * When a process began, in the kernel's own ticks; `-` where the system does not say (then the pid alone decides).
 *
 * @param {number} pid
 */
function startTime(pid) {
  const stat = process.platform === "linux" ? readText(`/proc/${pid}/stat`) : null;
  // Field 22, counted after the name: a process may call itself anything, parentheses and spaces included (proc(5)).
  return stat?.slice(stat.lastIndexOf(")") + 2).split(" ")[19] ?? "-";
}

/** @param {string} path */
function readText(path) {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return null;
  }
}
