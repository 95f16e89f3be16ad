import { request } from "node:http";
import { mb } from "../figures.ts";
import { residentOf } from "../machine.ts";
import type { Figure } from "../scenarios.ts";
import { megabyte, owner, type StorageBench } from "./bench.ts";

const bytes = 2 * 1024 * megabyte;
const mostExtraBytes = 64 * megabyte;

/** Files of 1 MB that come and go before: a server that has done nothing yet takes some 60 MB for its first bytes, whether few or many follow. */
const ordinary = 40;

/** A file of 2 GB in and out, while the server's memory is watched. */
export async function large(bench: StorageBench): Promise<Figure[]> {
  const figures: Figure[] = [];
  for (let n = 0; n < ordinary; n++) {
    await upload(bench, `${path}-${n}`, megabyte);
    await download(bench, `${path}-${n}`, megabyte);
  }
  for (const [name, work] of [
    ["upload of 2 GB, after forty files of 1 MB", upload],
    ["download of 2 GB", download],
  ] as const) {
    const before = residentOf(bench.server.pid);
    let most = before;
    const watch = setInterval(() => {
      most = Math.max(most, residentOf(bench.server.pid));
    }, 20);
    const begun = performance.now();
    const isWhole = await work(bench, path, bytes);
    clearInterval(watch);
    const perSecond = bytes / megabyte / ((performance.now() - begun) / 1000);
    figures.push({
      name,
      value: isWhole ? `${perSecond.toFixed(0)} MB/s, memory +${mb(most - before)}` : "FAILED",
      against: "memory < +64 MB",
      isMet: isWhole && most - before < mostExtraBytes,
    });
  }
  return figures;
}

const path = `/storage/v1/object/own/${owner}/large`;

function upload({ server, headers }: StorageBench, path: string, bytes: number): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const type = { "Content-Type": "video/mp4", "Content-Length": String(bytes) };
    const call = request(server.url + path, { method: "POST", headers: { ...headers, ...type } }, (response) => {
      response.resume();
      response.on("end", () => resolve(response.statusCode === 200));
    });
    call.on("error", reject);
    const chunk = Buffer.alloc(megabyte, "x");
    let left = bytes;
    const more = (): void => {
      while (left > 0) {
        left -= chunk.length;
        if (!call.write(chunk)) return void call.once("drain", more);
      }
      call.end();
    };
    more();
  });
}

function download({ server, headers }: StorageBench, path: string, bytes: number): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const call = request(server.url + path, { headers }, (response) => {
      let came = 0;
      response.on("data", (chunk: Buffer) => {
        came += chunk.length;
      });
      response.on("error", reject);
      response.on("end", () => resolve(came === bytes));
    });
    call.on("error", reject);
    call.end();
  });
}
