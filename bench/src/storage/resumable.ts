import { Agent } from "node:http";
import { limit } from "../figures.ts";
import type { Figure } from "../scenarios.ts";
import { expectOk, megabyte, owner, put, type StorageBench } from "./bench.ts";
import { send } from "./http.ts";

const wholeBytes = 96 * megabyte;
const chunkBytes = 6 * megabyte;
const rounds = 3;
const base64 = (text: string): string => Buffer.from(text).toString("base64");

/** 96 MB in pieces of 6 MB, as SDKs send it, against the same in one request. The better of some rounds each. */
export async function resumable(bench: StorageBench): Promise<Figure[]> {
  const bytes = Buffer.alloc(wholeBytes, "x");
  const [plain, pieces]: [number[], number[]] = [[], []];
  for (let round = 0; round < rounds; round++) {
    plain.push(await timed(() => put(bench, "own", `plain-${round}`, bytes, "video/mp4")));
    pieces.push(await timed(() => inPieces(bench, `pieces-${round}`, bytes)));
  }
  const [plainMs, piecesMs] = [Math.min(...plain), Math.min(...pieces)];
  const rate = (tookMs: number): string => `${(wholeBytes / megabyte / (tookMs / 1000)).toFixed(0)} MB/s`;
  const share = plainMs / piecesMs;
  return [
    limit("upload of 96 MB in one request", rate(plainMs)),
    {
      name: "resumable upload of 96 MB in pieces of 6 MB",
      value: `${rate(piecesMs)} (${share.toFixed(2)} × the plain one)`,
      against: "≥ 0.6 × the plain one",
      isMet: share >= 0.6,
    },
  ];
}

async function timed(work: () => Promise<void>): Promise<number> {
  const begun = performance.now();
  await work();
  return performance.now() - begun;
}

async function inPieces({ server, headers }: StorageBench, name: string, bytes: Buffer): Promise<void> {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const tus = { ...headers, "Tus-Resumable": "1.0.0" };
  const metadata = { bucketName: "own", objectName: `${owner}/${name}`, contentType: "video/mp4" };
  const made = await send({
    url: `${server.url}/storage/v1/upload/resumable`,
    method: "POST",
    headers: {
      ...tus,
      "Upload-Length": String(bytes.length),
      "Upload-Metadata": Object.entries(metadata)
        .map(([key, value]) => `${key} ${base64(value)}`)
        .join(","),
      "Content-Length": "0",
    },
    agent,
  });
  const url = expectOk(made, "creation").headers.location!;
  for (let at = 0; at < bytes.length; at += chunkBytes) {
    const sent = await send({
      url,
      method: "PATCH",
      headers: { ...tus, "Upload-Offset": String(at), "Content-Type": "application/offset+octet-stream" },
      body: bytes.subarray(at, at + chunkBytes),
      agent,
    });
    expectOk(sent, `piece at ${at}`);
  }
  agent.destroy();
}
