import type { Verdict } from "../../capabilities/storage/index.ts";

/**
 * What clamd's answer says: `stream: OK`, `stream: Eicar-Test-Signature FOUND`, `INSTREAM size limit exceeded. ERROR`.
 * @throws Error for anything that is no verdict
 */
export function verdictOf(reply: string): Verdict {
  const text = reply.replace(/[\0\r\n]+$/, "");
  if (/^stream: OK$/.test(text)) return { isClean: true };
  const finding = /^stream: (.{1,200}) FOUND$/.exec(text)?.[1];
  // The name goes to whoever uploaded: signatures are named in ASCII.
  if (finding !== undefined) return { isClean: false, finding: finding.replace(/[^\x20-\x7e]/g, "?") };
  throw new Error(
    text === "" ? "clamd closed the connection without an answer." : `clamd answered: ${text.slice(0, 200)}`,
  );
}
