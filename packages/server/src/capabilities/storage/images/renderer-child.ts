import { FrameReader, frameStart } from "./frames.ts";
import { NoPicture, renderPicture } from "./picture.ts";
import type { Answer, Greeting, Order } from "./renderer.ts";

/** What the server sends may be as large as it allows: it has asked before. */
const mostInputBytes = 0xffff_ffff;

const sharp = await import("sharp").then(
  ({ default: loaded }) => loaded,
  () => null,
);
if (sharp !== null) {
  // One picture at a time, on one thread, with nothing remembered: other processes are the parallelism.
  sharp.cache(false);
  sharp.concurrency(1);
  // Of all decoders only those whose files are let through (image-kind.ts).
  sharp.block({ operation: ["VipsForeignLoad"] });
  sharp.unblock({
    operation: ["Jpeg", "Png", "Webp", "Nsgif", "Heif", "Tiff"].map((format) => `VipsForeignLoad${format}`),
  });
}

function say(answer: Answer | Greeting, body: Buffer = Buffer.alloc(0)): void {
  process.stdout.write(frameStart(answer, body.length));
  process.stdout.write(body);
}

/** Each image in the order they come; the server sends the next when it has an answer. */
function work(decode: NonNullable<typeof sharp>): void {
  const reader = new FrameReader(mostInputBytes, ({ head, body }) => {
    // From our own server.
    const { order, limits } = head as Order;
    renderPicture(decode, body, order, limits).then(
      ({ contentType, bytes }) => say({ kind: "picture", contentType }, bytes),
      (error: unknown) => say({ kind: error instanceof NoPicture ? error.reason : "damaged" }),
    );
  });
  process.stdin.on("data", (chunk: Buffer) => reader.push(chunk));
  say({ kind: "ready" });
}

// The server is gone. `process.exit` would wait for a picture that is being made, and nobody is left who would end that.
const end = (): void => void process.kill(process.pid, "SIGKILL");
process.stdin.on("end", end);
process.stdin.on("error", end);
process.stdout.on("error", end);
if (sharp === null) say({ kind: "unavailable" });
else work(sharp);
