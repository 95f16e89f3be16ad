import sharp from "sharp";
import { imageOf, photo, renderAlone } from "./photo.ts";

/** `sharp` alone: so many at once for so long. One line with how many a second. */
const [atOnce, seconds] = [Number(process.argv[2]), Number(process.argv[3])];
sharp.concurrency(1);
sharp.cache(false);
const images = await Promise.all(Array.from({ length: photo.count }, (_, n) => imageOf(n)));
let done = 0;
let endMs = Number.POSITIVE_INFINITY;
const worker = async (first: number): Promise<void> => {
  for (let n = first; performance.now() < endMs; n++, done++)
    await renderAlone(images[n % images.length]!, photo.widthOf(n));
};
endMs = performance.now() + 1_000;
await Promise.all(Array.from({ length: atOnce }, (_, i) => worker(i)));
done = 0;
endMs = performance.now() + seconds * 1_000;
await Promise.all(Array.from({ length: atOnce }, (_, i) => worker(i)));
process.send!(done / seconds);
process.disconnect();
