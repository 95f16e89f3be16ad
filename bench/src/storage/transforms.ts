import { fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import { failed, limit, ms } from "../figures.ts";
import { percentile, type Shot, sustain } from "../load.ts";
import type { Figure } from "../scenarios.ts";
import { kilobyte, owner, put, type StorageBench } from "./bench.ts";
import { imageOf, photo } from "./photo.ts";
import { rateOf, rateText } from "./rates.ts";

/** As many processes as the server has for it (`storageImageProcesses`). */
const atOnce = 2;
const readsPerSecond = 500;

/** New sizes of photographs, none asked for twice, against `sharp` alone; and what reads feel of them. */
export async function transforms(bench: StorageBench): Promise<Figure[]> {
  for (let n = 0; n < photo.count; n++) await put(bench, "open", `photo-${n}.jpg`, await imageOf(n), "image/jpeg");
  await put(bench, "open", "small", Buffer.alloc(10 * kilobyte, "x"), "image/x-bench");
  const before = await sharpAlone(bench.seconds);
  // Each a size that nobody has had: what is kept of earlier ones would be no transform.
  const shots = Array.from({ length: 4_000 }, (_, n) => shotOf(n));
  const rate = await rateOf({ ...bench, connections: atOnce * 2 }, shots);
  const alone = (before + (await sharpAlone(bench.seconds))) / 2;
  const others = Array.from({ length: 4_000 }, (_, n) => shotOf(4_000 + n));
  const [reads] = await Promise.all([
    sustain({
      url: bench.server.url,
      shots: [{ method: "GET", path: `/storage/v1/object/public/open/${owner}/small`, headers: {} }],
      connections: 16,
      seconds: bench.seconds,
      perSecond: readsPerSecond,
    }),
    rateOf({ ...bench, connections: atOnce * 2 }, others),
  ]);
  const share = rate.perSecond / alone;
  const p95 = percentile(reads.latencies, 0.95);
  return [
    limit(
      `\`sharp\` alone, ${atOnce} at once, one thread each: 1,600 × 1,200 to some 400 × 400`,
      `${alone.toFixed(0)}/s`,
    ),
    {
      name: "images in a size that nobody has asked for",
      value: rateText(rate, { perSecond: alone, failures: 0 }, "`sharp` alone"),
      against: "≥ 0.8 × `sharp` alone",
      isMet: share >= 0.8 && rate.failures === 0,
    },
    {
      name: `reads of 10 KB at ${readsPerSecond}/s meanwhile`,
      value: `p50 ${ms(percentile(reads.latencies, 0.5))}, p95 ${ms(p95)}${failed(reads.failures)}`,
      against: "p95 < 100 ms",
      isMet: p95 < 100 && reads.failures === 0,
    },
  ];
}

/** Width and height from a counter, so that no two of them are the same. */
function shotOf(n: number): Shot {
  const [width, height] = [200 + (n % 400), 200 + ((Math.floor(n / 400) * 7) % 400)];
  const query = `width=${width}&height=${height}&resize=cover`;
  return {
    method: "GET",
    path: `/storage/v1/render/image/public/open/${owner}/photo-${n % photo.count}.jpg?${query}`,
    headers: { Accept: "image/jpeg" },
  };
}

function sharpAlone(seconds: number): Promise<number> {
  const script = fileURLToPath(new URL("./sharp-process.ts", import.meta.url));
  return new Promise((resolve, reject) => {
    const child = fork(script, [String(atOnce), String(seconds)]);
    child.once("message", (perSecond) => resolve(Number(perSecond)));
    child.once("exit", (code) => reject(new Error(`sharp alone ended with ${code}.`)));
  });
}
