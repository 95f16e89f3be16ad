import type { Reporter, TestCase } from "vitest/node";

/**
 * A reporter that names every test that has passed at a second attempt only, one a line, when all have run: `flaky: <file> > <test>`. A run
 * that tries again (`--retry=1`) is not stopped by them, and they are to be mended all the same.
 */
export default class FlakyTests implements Reporter {
  readonly #names: string[] = [];

  onTestCaseResult(test: TestCase): void {
    if (test.diagnostic()?.flaky === true) this.#names.push(`${test.module.relativeModuleId} > ${test.fullName}`);
  }

  onTestRunEnd(): void {
    for (const name of this.#names) process.stdout.write(`flaky: ${name}\n`);
  }
}
