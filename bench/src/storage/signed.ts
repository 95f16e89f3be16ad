import { reported } from "../figures.ts";
import type { Shot } from "../load.ts";
import type { Figure } from "../scenarios.ts";
import { expectOk, kilobyte, owner, put, type StorageBench } from "./bench.ts";
import { send } from "./http.ts";
import { rateOf, rateText } from "./rates.ts";

const files = 100;

/** Signed URLs: made for one file and for many, and read by. */
export async function signed(bench: StorageBench): Promise<Figure[]> {
  const names = Array.from({ length: files }, (_, n) => `${owner}/signed-${n}`);
  for (let n = 0; n < files; n++)
    await put(bench, "own", `signed-${n}`, Buffer.alloc(10 * kilobyte, "x"), "image/x-bench");
  const headers = { ...bench.headers, "Content-Type": "application/json" };
  const body = JSON.stringify({ expiresIn: 3_600 });
  const path = "/storage/v1/object/sign/own";
  const one = names.map((name): Shot => ({ method: "POST", path: `${path}/${name}`, headers, body }));
  const all = { ...one[0]!, path, body: JSON.stringify({ expiresIn: 3_600, paths: names }) };
  const made = expectOk(await send({ ...all, url: bench.server.url + path }), "signing");
  const urls = (JSON.parse(made.body.toString()) as { signedURL: string }[]).map(({ signedURL }) => signedURL);
  const reads = urls.map((url): Shot => ({ method: "GET", path: `/storage/v1${url}`, headers: {} }));
  const single = await rateOf(bench, one);
  // Each looks for a hundred: more at once would only wait.
  const many = await rateOf({ ...bench, connections: 8 }, [all]);
  const read = await rateOf(bench, reads);
  return [
    reported("signed URLs, one a request, under row level security", rateText(single)),
    reported(`signed URLs, ${files} a request`, rateText({ ...many, perSecond: many.perSecond * files })),
    {
      name: "download of 10 KB by a signed URL",
      value: rateText(read),
      against: "≥ 8,000/s",
      isMet: read.perSecond >= 8_000 && read.failures === 0,
    },
  ];
}
