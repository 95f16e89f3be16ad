/** @throws Error with what is the case instead */
export function check(holds: boolean, otherwise: string): asserts holds {
  if (!holds) throw new Error(otherwise);
}

/** One line of the story. */
export function tell(line: string): void {
  process.stdout.write(`${line}\n`);
}
