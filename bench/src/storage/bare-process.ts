import { randomUUID } from "node:crypto";
import { createReadStream, createWriteStream } from "node:fs";
import { mkdir, open, rename } from "node:fs/promises";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";

/**
 * The limits: `node:http` alone. `GET /n` streams a file of n bytes, `GET /constant` answers that many from memory, `PUT` writes what comes
 * into a file, brings it and its name to disk, and says so.
 */
const [port, dir, sizes] = [Number(process.argv[2]), process.argv[3]!, process.argv[4]!.split(",").map(Number)];
const constant = Buffer.alloc(10_240, "x");
const headers = (bytes: number) => ["Content-Type", "application/octet-stream", "Content-Length", String(bytes)];

async function take(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const half = join(dir, randomUUID());
  const file = createWriteStream(half, { flush: true });
  await pipeline(request, file);
  await rename(half, `${half}.whole`);
  const folder = await open(dir);
  await folder.sync();
  await folder.close();
  response.writeHead(200, headers(2));
  response.end("{}");
}

await mkdir(dir, { recursive: true });
for (const size of sizes) {
  const file = await open(join(dir, String(size)), "w");
  await file.writeFile(Buffer.alloc(size, "x"));
  await file.close();
}
createServer((request, response) => {
  if (request.method === "PUT") return void take(request, response).catch(() => response.destroy());
  if (request.url === "/constant") {
    response.writeHead(200, headers(constant.length));
    return response.end(constant);
  }
  const bytes = Number(request.url!.slice(1));
  response.writeHead(200, headers(bytes));
  createReadStream(join(dir, String(bytes))).pipe(response);
}).listen(port, "127.0.0.1", 1024, () => process.send!("ready"));
process.on("disconnect", () => process.exit());
