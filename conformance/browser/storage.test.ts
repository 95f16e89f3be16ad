import { randomBytes, randomUUID } from "node:crypto";
import { type BootedApp, boot } from "@mainstay/testing";
import type { SupabaseClient } from "@supabase/supabase-js";
import type { JSHandle, Page } from "playwright-core";
import { afterAll, beforeAll, expect, it, type TestContext } from "vitest";
import { describeInBrowser } from "./harness.ts";
import { openClient, openSite, type Site } from "./site.ts";
import { sineWave } from "./sound.ts";

const soon = { interval: 20, timeout: 30_000 };

/** Everybody keeps what they like in a folder of their own; what is in `shown` everybody sees. */
const sql = `
  insert into storage.buckets (id, name, public) values ('own', 'own', false), ('shown', 'shown', true);
  create policy own on storage.objects for all to authenticated
    using ((storage.foldername(name))[1] = (select auth.uid())::text)
    with check ((storage.foldername(name))[1] = (select auth.uid())::text);`;

/** Of a page's own, what is used here. */
interface PageGlobals {
  readonly document: { body: { append(child: object): void }; createElement(name: string): Media };
  readonly tus: typeof import("tus-js-client");
}
interface Media {
  src: string;
  currentTime: number;
  readonly duration: number;
  readonly naturalWidth: number;
  addEventListener(name: string, listener: () => void): void;
}

describeInBrowser("storage, in Chromium", (browser) => {
  let app: BootedApp;
  let site: Site;
  beforeAll(async () => {
    [site, app] = await Promise.all([openSite(), boot({ sql, settings: { auth: { rateLimits: false } } })]);
    site.connect(app);
  });
  afterAll(async () => {
    await app?.stop();
    await site?.stop();
  });

  interface Somebody {
    readonly page: Page;
    readonly client: JSHandle<SupabaseClient>;
    readonly id: string;
    readonly token: string;
  }
  /** A page of the site, which is another origin than the server, with somebody signed in. */
  async function somebody(test: TestContext): Promise<Somebody> {
    const page = await browser.page(test);
    const client = await openClient(page, site.origin, app);
    const given = { email: `${randomUUID()}@browser.example`, password: "correct horse battery staple" };
    const signedIn = await client.evaluate(async (client, given) => {
      const { data, error } = await client.auth.signUp(given);
      if (error) throw error;
      return { id: data.user!.id, token: data.session!.access_token };
    }, given);
    return { page, client, ...signedIn };
  }
  const stored = async (bucket: string, name: string): Promise<Buffer | null> => {
    const headers = { authorization: `Bearer ${app.serviceRoleKey}` };
    const reply = await fetch(`${app.url}/storage/v1/object/${bucket}/${name}`, { headers });
    return reply.ok ? Buffer.from(await reply.arrayBuffer()) : null;
  };

  it("keeps a File with its type, and gives it back as it was", async (test) => {
    const { client, id } = await somebody(test);
    const came = await client.evaluate(async (client, id) => {
      const bytes = Uint8Array.from({ length: 70_000 }, (_, at) => at % 251);
      const file = new File([bytes], "ignored.png", { type: "image/png" });
      const files = client.storage.from("own");
      const { data, error } = await files.upload(`${id}/a file (1).png`, file, { metadata: { from: "a page" } });
      const again = await files.upload(`${id}/a file (1).png`, file);
      const { data: blob } = await files.download(`${id}/a file (1).png`);
      const read = new Uint8Array(await blob!.arrayBuffer());
      const { data: info } = await files.info(`${id}/a file (1).png`);
      const { data: listed } = await files.list(id);
      const isSame = read.length === bytes.length && read.every((byte, at) => byte === bytes[at]);
      const refusal = again.error as unknown as { statusCode: string };
      const names = listed?.map(({ name }) => name);
      return { path: data?.path, error, refused: refusal.statusCode, type: blob?.type, isSame, info, names };
    }, id);
    expect(came).toMatchObject({
      path: `${id}/a file (1).png`,
      error: null,
      refused: "409",
      type: "image/png",
      isSame: true,
      info: { size: 70_000, contentType: "image/png", metadata: { from: "a page" } },
      names: ["a file (1).png"],
    });
  });

  it("tells a page how far its upload is, and a page of another origin what it may know", async (test) => {
    const { page, id, token } = await somebody(test);
    const sent = await page.evaluate(
      ({ url, token }) => {
        // Of all that a page can send with, XMLHttpRequest alone says how far it is.
        const { XMLHttpRequest: Request } = globalThis as unknown as { XMLHttpRequest: new () => Xhr };
        const request = new Request();
        const seen: number[] = [];
        request.upload.addEventListener("progress", ({ loaded }) => seen.push(loaded));
        request.open("POST", url);
        request.setRequestHeader("authorization", `Bearer ${token}`);
        request.setRequestHeader("x-upsert", "true");
        request.setRequestHeader("cache-control", "max-age=60");
        return new Promise<{ seen: number[]; status: number }>((resolve) => {
          request.addEventListener("loadend", () => resolve({ seen, status: request.status }));
          request.send(new Blob([new Uint8Array(3_000_000)], { type: "image/png" }));
        });
        interface Xhr {
          readonly upload: { addEventListener(name: string, listener: (event: { loaded: number }) => void): void };
          readonly status: number;
          addEventListener(name: string, listener: () => void): void;
          open(method: string, url: string): void;
          setRequestHeader(name: string, value: string): void;
          send(body: Blob): void;
        }
      },
      { url: `${app.url}/storage/v1/object/shown/${id}/large.png`, token },
    );
    expect(sent.status).toBe(200);
    expect(sent.seen.at(-1)).toBe(3_000_000);
    const read = await page.evaluate(async (url) => {
      const reply = await fetch(url, { headers: { range: "bytes=10-19", "x-client-info": "a page" } });
      const names = ["etag", "content-range", "content-length", "accept-ranges", "cache-control", "last-modified"];
      return { status: reply.status, told: names.map((name) => reply.headers.get(name)) };
    }, `${app.url}/storage/v1/object/public/shown/${id}/large.png`);
    expect(read).toEqual({
      status: 206,
      told: [expect.stringMatching(/^"/), "bytes 10-19/3000000", "10", "bytes", "max-age=60", expect.any(String)],
    });
  });

  it("shows a private picture by its signed URL, and no longer when its owner takes it down", async (test) => {
    const { page, client, id } = await somebody(test);
    const drawn = await client.evaluate(async (client, id) => {
      const picture = atob(
        "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==",
      );
      const bytes = Uint8Array.from(picture, (letter) => letter.charCodeAt(0));
      await client.storage.from("own").upload(`${id}/dot.png`, new Blob([bytes], { type: "image/png" }));
      const { data } = await client.storage.from("own").createSignedUrl(`${id}/dot.png`, 60);
      return data!.signedUrl;
    }, id);
    const widthOf = (src: string) =>
      page.evaluate((src) => {
        const { document } = globalThis as unknown as PageGlobals;
        const image = document.createElement("img");
        return new Promise<number | null>((resolve) => {
          image.addEventListener("load", () => resolve(image.naturalWidth));
          image.addEventListener("error", () => resolve(null));
          image.src = src;
          document.body.append(image);
        });
      }, src);
    expect(await widthOf(drawn)).toBe(1);
    expect(await widthOf(drawn.replace("token=", "token=x"))).toBeNull();
    expect(await widthOf(`${app.url}/storage/v1/object/public/own/${id}/dot.png`)).toBeNull();
    await client.evaluate(
      (client, id) =>
        client.storage
          .from("own")
          .remove([`${id}/dot.png`])
          .then(() => {}),
      id,
    );
    expect(await widthOf(`${drawn}&n=2`)).toBeNull();
  });

  it("lets a player jump to the end of a long sound without the rest", async (test) => {
    const { page, client, id } = await somebody(test);
    const seconds = 600;
    const wav = sineWave(seconds);
    const path = `${id}/long.wav`;
    const headers = { authorization: `Bearer ${app.serviceRoleKey}`, "content-type": "audio/wav" };
    const put = await fetch(`${app.url}/storage/v1/object/own/${path}`, {
      method: "POST",
      headers,
      body: new Uint8Array(wav),
    });
    expect(put.status).toBe(200);
    const url = await client.evaluate(
      async (client, path) => (await client.storage.from("own").createSignedUrl(path, 600)).data!.signedUrl,
      path,
    );
    const ranges: number[] = [];
    page.on("response", (response) => {
      const from = /^bytes (\d+)-/.exec(response.headers()["content-range"] ?? "")?.[1];
      if (response.status() === 206 && from !== undefined) ranges.push(Number(from));
    });
    const played = await page.evaluate(
      ({ url, to }) => {
        const { document } = globalThis as unknown as PageGlobals;
        const media = document.createElement("video");
        return new Promise<{ at: number; duration: number } | null>((resolve) => {
          media.addEventListener("error", () => resolve(null));
          media.addEventListener("loadedmetadata", () => {
            media.currentTime = to;
          });
          media.addEventListener("seeked", () => resolve({ at: media.currentTime, duration: media.duration }));
          media.src = url;
          document.body.append(media);
        });
      },
      { url, to: seconds - 5 },
    );
    expect(played).toEqual({ at: seconds - 5, duration: seconds });
    await expect.poll(() => ranges.some((from) => from > wav.length * 0.9), soon).toBe(true);
  });

  it("goes on with an upload where it was when the network comes back, and after a reload", async (test) => {
    const { page, client, id, token } = await somebody(test);
    const file = randomBytes(2_000_000);
    const name = `${id}/film.bin`;
    const sent: number[] = [];
    page.on("request", (request) => {
      const offset = request.headers()["upload-offset"];
      if (request.method() === "PATCH" && offset !== undefined) sent.push(Number(offset));
    });
    /** As an app does it: what was begun before is looked for first. @returns how it ended */
    const upload = async (): Promise<JSHandle<{ accepted: number; outcome: string }>> => {
      await page.addScriptTag({ url: "/tus.js" });
      return page.evaluateHandle(
        async ({ base64, endpoint, token, name }) => {
          const { tus } = globalThis as unknown as PageGlobals;
          const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
          const state = { accepted: 0, outcome: "" };
          const upload = new tus.Upload(new File([bytes], "film.bin", { lastModified: 1 }), {
            endpoint,
            headers: { authorization: `Bearer ${token}` },
            metadata: { bucketName: "own", objectName: name, contentType: "application/octet-stream" },
            chunkSize: 100_000,
            uploadDataDuringCreation: true,
            removeFingerprintOnSuccess: true,
            retryDelays: Array.from({ length: 100 }, () => 100),
            // By itself it gives up while the browser says that it is offline.
            onShouldRetry: () => true,
            onChunkComplete: (_size, accepted) => {
              state.accepted = accepted;
            },
            onSuccess: () => {
              state.outcome = "stored";
            },
            onError: (error) => {
              state.outcome = error.message;
            },
          });
          const [before] = await upload.findPreviousUploads();
          if (before) upload.resumeFromPreviousUpload(before);
          upload.start();
          return state;
        },
        { base64: file.toString("base64"), endpoint: `${app.url}/storage/v1/upload/resumable`, token, name },
      );
    };
    const network = await page.context().newCDPSession(page);
    const emulate = (offline: boolean, bytesPerSecond: number) =>
      network.send("Network.emulateNetworkConditions", {
        offline,
        latency: 0,
        downloadThroughput: -1,
        uploadThroughput: bytesPerSecond,
      });
    await network.send("Network.enable");
    await emulate(false, 1_000_000);
    const first = await upload();
    const accepted = async (state: typeof first) => (await state.jsonValue()).accepted;
    await expect.poll(() => accepted(first), soon).toBeGreaterThan(300_000);
    await emulate(true, 0);
    const whenCut = await accepted(first);
    expect(await stored("own", name)).toBeNull();
    await emulate(false, 1_000_000);
    await expect.poll(() => accepted(first), soon).toBeGreaterThan(whenCut + 200_000);
    expect((await first.jsonValue()).outcome).toBe("");

    const whenClosed = await accepted(first);
    await page.reload();
    const begun = sent.length;
    await emulate(false, -1);
    const second = await upload();
    await expect.poll(async () => (await second.jsonValue()).outcome, soon).toBe("stored");
    // It began where the page before it had left.
    expect(sent[begun]).toBeGreaterThanOrEqual(whenClosed);
    expect((await stored("own", name))?.equals(file)).toBe(true);
    await client.dispose();
  });

  it("is closed to pages of other origins where origins are listed", async (test) => {
    const listed = await boot({ sql, settings: { http: { corsOrigins: ["https://app.example"] } } });
    try {
      const page = await browser.page(test);
      await page.goto(site.origin);
      const ask = (url: string) =>
        page.evaluate(
          (url) =>
            fetch(url).then(
              () => "read",
              () => "kept",
            ),
          url,
        );
      expect(await ask(`${listed.url}/storage/v1/object/public/shown/nothing`)).toBe("kept");
      expect(await ask(`${app.url}/storage/v1/object/public/shown/nothing`)).toBe("read");
    } finally {
      await listed.stop();
    }
  });
});
