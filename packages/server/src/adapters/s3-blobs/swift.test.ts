import { execFileSync, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { describe, test } from "vitest";
import { blobStoreContract } from "../../capabilities/storage/blob-store.contract.ts";
import { openBucket } from "./bucket.ts";
import { openS3BlobStore } from "./index.ts";
import { leaveHalfUpload, optionsFor } from "./testing.ts";

// Somebody else's S3: OpenStack Swift with `s3api`, as Debian and Ubuntu have it. To have it on a machine that runs these tests:
//   apt-get install --no-install-recommends swift-proxy swift-account swift-container swift-object memcached
const programs = [
  "swift-ring-builder",
  "swift-proxy-server",
  "swift-account-server",
  "swift-container-server",
  "swift-object-server",
  "memcached",
];
const isThere = programs.every((name) => existsSync(`/usr/bin/${name}`)) && process.getuid?.() === 0;

describe.skipIf(!isThere)("a bucket of OpenStack Swift", () =>
  blobStoreContract(async () => {
    const swift = await startSwift();
    const options = {
      ...optionsFor(
        { endpoint: swift.endpoint, bucket: "files" },
        {
          prefix: "objects/",
          attempts: 5,
          connectTimeoutMs: 20_000,
          answerTimeoutMs: 60_000,
        },
      ),
      credentials: { accessKeyId: "test:tester", secretAccessKey: "testing" },
    };
    const { client, s3 } = await openBucket(options);
    await client.send(new s3.CreateBucketCommand({ Bucket: "files" }));
    client.destroy();
    return {
      store: await openS3BlobStore(options),
      close: swift.close,
      leaveHalf: (id) => leaveHalfUpload(options, id),
      memoryBytes: 24 * 1024 * 1024,
    };
  }),
);

test.skipIf(isThere)("NOT TRIED: OpenStack Swift is not installed, or this is not root", ({ skip }) => skip());

interface Swift {
  readonly endpoint: string;
  close(): Promise<void>;
}

/** Swift on this machine's loopback, with one of each server and its data in a folder that is taken away again. */
async function startSwift(): Promise<Swift> {
  const folder = await mkdtemp(join(tmpdir(), "swift-"));
  const etc = join(folder, "etc");
  await mkdir(join(folder, "data", "disk"), { recursive: true });
  await mkdir(etc);
  const ports = {
    account: await freePort(),
    container: await freePort(),
    object: await freePort(),
    proxy: await freePort(),
    memcached: await freePort(),
  };
  await writeFile(
    join(etc, "swift.conf"),
    "[swift-hash]\nswift_hash_path_suffix = test\n[storage-policy:0]\nname = gold\ndefault = yes\n",
  );
  const general = `bind_ip = 127.0.0.1\nuser = root\nswift_dir = ${etc}\nworkers = 0\nlog_udp_host = 127.0.0.1\nlog_udp_port = 9\n`;
  for (const kind of ["account", "container", "object"] as const) {
    const ring = (...words: string[]) => execFileSync("swift-ring-builder", [join(etc, `${kind}.builder`), ...words]);
    // Two to the fourth parts, one copy of each, moved at any time.
    ring("create", "4", "1", "1");
    ring(
      "add",
      "--region",
      "1",
      "--zone",
      "1",
      "--ip",
      "127.0.0.1",
      "--port",
      String(ports[kind]),
      "--device",
      "disk",
      "--weight",
      "1",
    );
    ring("rebalance");
    const text = `[DEFAULT]\n${general}bind_port = ${ports[kind]}\ndevices = ${join(folder, "data")}\nmount_check = false\n[pipeline:main]\npipeline = ${kind}-server\n[app:${kind}-server]\nuse = egg:swift#${kind}\n`;
    await writeFile(join(etc, `${kind}.conf`), text);
  }
  const filters = ["catch_errors", "gatekeeper", "listing_formats", "copy", "slo", "dlo", "versioned_writes"];
  const proxy = [
    `[DEFAULT]\n${general}bind_port = ${ports.proxy}`,
    "[pipeline:main]\npipeline = catch_errors gatekeeper cache listing_formats s3api tempauth copy slo dlo versioned_writes proxy-server",
    "[app:proxy-server]\nuse = egg:swift#proxy\nallow_account_management = true\naccount_autocreate = true",
    `[filter:cache]\nuse = egg:swift#memcache\nmemcache_servers = 127.0.0.1:${ports.memcached}`,
    "[filter:s3api]\nuse = egg:swift#s3api\nlocation = us-east-1\nmulti_delete_concurrency = 8",
    "[filter:tempauth]\nuse = egg:swift#tempauth\nuser_test_tester = testing .admin",
    ...filters.map((name) => `[filter:${name}]\nuse = egg:swift#${name}`),
  ];
  await writeFile(join(etc, "proxy.conf"), proxy.join("\n"));
  const run = (command: string, ...words: string[]) =>
    spawn(command, words, { stdio: "ignore", env: { ...process.env, SWIFT_DIR: etc } });
  const servers = [
    run("memcached", "-l", "127.0.0.1", "-p", String(ports.memcached), "-u", "root"),
    ...(["account", "container", "object", "proxy"] as const).map((kind) =>
      run(`swift-${kind}-server`, join(etc, `${kind}.conf`)),
    ),
  ];
  const endpoint = `http://127.0.0.1:${ports.proxy}`;
  for (const port of Object.values(ports)) await untilOpen(port);
  return {
    endpoint,
    async close() {
      for (const server of servers) {
        const ended = new Promise((resolve) => server.once("close", resolve));
        server.kill("SIGKILL");
        await ended;
      }
      await rm(folder, { recursive: true });
    },
  };
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === "object" && address !== null ? address.port : 0;
}

async function untilOpen(port: number): Promise<void> {
  for (let attempt = 0; attempt < 200; attempt += 1) {
    try {
      await fetch(`http://127.0.0.1:${port}/healthcheck`, { signal: AbortSignal.timeout(1_000) });
      return;
    } catch (error) {
      // Something answers that does not speak HTTP: memcached.
      const { code } = (error as { cause?: { code?: string } }).cause ?? {};
      if (code !== undefined && code !== "ECONNREFUSED") return;
    }
    await setTimeout(100);
  }
  throw new Error(`Nothing listens on port ${port}.`);
}
