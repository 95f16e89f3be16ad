import { readFileSync } from "node:fs";

// Loaded before a server (`--import`): its process then has a clock of its own, which is ahead of the machine's by what a file says, in ms. SIGUSR2:
// the file says something else.
const file = process.env.CLOCK_FILE!;
const machineMs = Date.now;
let aheadMs = 0;
const read = (): void => {
  aheadMs = Number(readFileSync(file, "utf8"));
};
read();
process.on("SIGUSR2", read);
Date.now = () => machineMs() + aheadMs;
globalThis.Date = new Proxy(Date, {
  construct: (of, args, target) => Reflect.construct(of, args.length === 0 ? [Date.now()] : args, target),
});
