import { parentPort } from "node:worker_threads";
import { compareSync } from "bcryptjs";

/** Compares passwords with imported bcrypt hashes: some 100 ms of JavaScript each, which the server's own thread has not. */
parentPort?.on("message", ({ id, password, hash }: { id: number; password: string; hash: string }) => {
  let isMatch = false;
  try {
    isMatch = compareSync(password, hash);
  } catch {
    // A hash bcryptjs cannot read matches nothing.
  }
  parentPort?.postMessage({ id, isMatch });
});
