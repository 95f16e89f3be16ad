import type { Content } from "../content/types.ts";

/** Asks for more time for a version as long as its bytes come. @returns how to stop */
export function keepAlive(content: Pick<Content, "extend">, version: string, leaseMs: number): () => void {
  // One that fails is made good by the next; were they all to fail, the upload would be given up and its end refused.
  const timer = setInterval(() => void content.extend(version, leaseMs).catch(() => {}), leaseMs / 4);
  timer.unref();
  return () => clearInterval(timer);
}
