import type { Reporter, TestCase } from "vitest/node";

/**
 * A reporter that names every test that has passed at a second attempt only, when all have run: `flaky: <file> > <test>`, and below it where and
 * why it failed. A run that tries again (`--retry=1`) is not stopped by them, and they are to be mended all the same.
 */
export default class FlakyTests implements Reporter {
  readonly #said: string[] = [];

  onTestCaseResult(test: TestCase): void {
    if (test.diagnostic()?.flaky !== true) return;
    this.#said.push(`flaky: ${test.module.relativeModuleId} > ${test.fullName}`);
    for (const { message, stacks } of test.result().errors ?? []) {
      const [place] = stacks ?? [];
      this.#said.push(`  ${place === undefined ? "" : `line ${place.line}: `}${message.split("\n")[0]}`);
    }
  }

  onTestRunEnd(): void {
    if (this.#said.length > 0) process.stdout.write(`${this.#said.join("\n")}\n`);
  }
}
