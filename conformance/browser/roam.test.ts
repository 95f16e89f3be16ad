import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { type BootedApp, boot } from "@mainstay/testing";
import type { Locator, Page } from "playwright-core";
import { afterAll, beforeAll, beforeEach, expect, it } from "vitest";
import { paintSky } from "../../examples/roam/demo/picture.ts";
import { describeInBrowser } from "./harness.ts";

const roam = join(import.meta.dirname, "../../examples/roam");
const read = (path: string): string => readFileSync(join(roam, path), "utf8");
const soon = { interval: 20, timeout: 30_000 };

/** The example's schema and people, with one place instead of all of them. */
const sql = [
  'set search_path to "$user", public, extensions;',
  ...readdirSync(join(roam, "migrations"))
    .sort()
    .map((name) => read(`migrations/${name}`)),
  "insert into places (id, name, country_code, feature_code, lat, lng) values (2267057, 'Lisbon', 'PT', 'PPLC', 38.7, -9.1);",
  read("seeds/people.sql"),
].join("\n");

/** One of the two phones on the page. */
interface Phone {
  readonly pane: Locator;
  readonly slots: Locator;
  readonly messages: Locator;
  readonly here: Locator;
  readonly typing: Locator;
  write(text: string): Promise<void>;
  /** What the conversation shows. */
  shown(): Promise<readonly string[]>;
}

function phone(page: Page, id: string): Phone {
  const pane = page.locator(`#${id}`);
  const messages = pane.locator(".messages li p");
  return {
    pane,
    messages,
    slots: pane.locator(".slots li"),
    here: pane.locator(".here"),
    typing: pane.locator(".typing"),
    async write(text) {
      await pane.getByLabel("Message").fill(text);
      await pane.getByRole("button", { name: "Send" }).click();
      await pane.getByText(text, { exact: true }).waitFor();
    },
    shown: () => messages.allTextContents(),
  };
}

describeInBrowser("two people of Roam side by side, in Chromium", (browser) => {
  let app: BootedApp;
  let command: ChildProcess;
  let address: string;
  beforeAll(async () => {
    app = await boot({ sql, settings: { auth: { rateLimits: false } } });
    const given = ["--url", app.url, "--key", app.anonKey, "--port", "0"];
    command = spawn(process.execPath, [join(roam, "live.ts"), ...given], { stdio: ["ignore", "pipe", "inherit"] });
    for await (const line of createInterface({ input: command.stdout! })) {
      address = /http:\S+/.exec(line)?.[0] ?? "";
      if (address !== "") break;
    }
  });
  afterAll(async () => {
    if (command?.exitCode === null) {
      command.kill("SIGTERM");
      expect((await once(command, "exit"))[0]).toBe(0);
    }
    await app?.stop();
  });
  beforeEach(() => app.sql("delete from conversations; delete from bookings"));

  /** Opens the page and waits until both see each other. */
  async function open(page: Page): Promise<{ readonly ada: Phone; readonly davi: Phone }> {
    const foreign: string[] = [];
    page.on("request", (request) => {
      if (new URL(request.url()).origin !== new URL(address).origin && !request.url().startsWith(app.url)) {
        foreign.push(request.url());
      }
    });
    await page.goto(address);
    const [ada, davi] = [phone(page, "ada"), phone(page, "davi")];
    for (const { here } of [ada, davi]) await expect.poll(() => here.textContent(), soon).toBe("is here");
    // All of it is here: it works where there is no network.
    expect(foreign).toEqual([]);
    return { ada, davi };
  }

  it("write to each other, see each other type, and take words back", async (test) => {
    const { ada, davi } = await open(await browser.page(test));
    await ada.write("Is Tuesday good for slow walkers?");
    await expect.poll(davi.shown, soon).toEqual(["Is Tuesday good for slow walkers?"]);
    await davi.pane.getByLabel("Message").pressSequentially("It is");
    await expect.poll(() => ada.typing.textContent(), soon).toBe("Davi is typing");
    await davi.write("It is. We stop for tarts twice.");
    await expect.poll(ada.shown, soon).toHaveLength(2);
    await expect.poll(() => ada.typing.textContent(), soon).toBe("");
    await ada.messages.first().hover();
    await ada.pane.getByRole("button", { name: "Take back" }).click();
    for (const { shown } of [ada, davi]) await expect.poll(shown, soon).toEqual(["It is. We stop for tarts twice."]);
  });

  it("see a slot turn as it is booked and cancelled, the host by whom", async (test) => {
    const { ada, davi } = await open(await browser.page(test));
    await expect.poll(() => davi.slots.count(), soon).toBe(7);
    const state = ({ slots }: Phone) => slots.first().locator("em").textContent();
    await ada.slots.first().getByRole("button", { name: "Book" }).click();
    await expect.poll(() => state(davi), soon).toBe("Booked by Ada");
    await expect.poll(() => state(ada), soon).toBe("Yours");
    await ada.slots.first().getByRole("button", { name: "Cancel" }).click();
    for (const one of [ada, davi]) await expect.poll(() => state(one), soon).toBe("Free");
    // Chie, whom nobody here knows: to Ada it is taken, and no more.
    await app.sql(
      "insert into bookings (slot_id, guest_id) select min(id), 'a1000000-0000-4000-8000-000000000003' from slots",
    );
    await expect.poll(() => state(davi), soon).toBe("Booked by Chie");
    await expect.poll(() => state(ada), soon).toBe("Taken");
  });

  it("R13 miss nothing in a tunnel, and ask for nothing again", async (test) => {
    const page = await browser.page(test);
    const { ada, davi } = await open(page);
    await ada.write("Entering the tunnel");
    await expect.poll(davi.shown, soon).toHaveLength(1);
    await ada.pane.getByRole("button", { name: "Enter tunnel" }).click();
    await expect.poll(() => davi.here.textContent(), soon).toBe("is not here");
    const asked: string[] = [];
    page.on("request", (request) => asked.push(`${request.method()} ${new URL(request.url()).pathname}`));
    for (const text of ["One", "Two", "Three"]) await davi.write(text);
    expect(await ada.shown()).toEqual(["Entering the tunnel"]);
    await ada.pane.getByRole("button", { name: "Leave tunnel" }).click();
    await expect.poll(ada.shown, soon).toEqual(["Entering the tunnel", "One", "Two", "Three"]);
    for (const { here } of [ada, davi]) await expect.poll(() => here.textContent(), soon).toBe("is here");
    expect(asked.filter((request) => request.startsWith("GET"))).toEqual([]);
  });

  it("see a new face and new photos as they come; photos take a booking, and go on after a tunnel", async (test) => {
    const page = await browser.page(test);
    const { ada, davi } = await open(page);
    const picture = {
      name: "me.png",
      mimeType: "image/png",
      buffer: Buffer.from(paintSky(640, 480, [250, 190, 90], [20, 60, 110])),
    };
    const isShown = (image: Locator) =>
      image.evaluate((image) => (image as unknown as { naturalWidth: number }).naturalWidth > 0);
    await ada.pane.getByLabel("Change the picture").setInputFiles(picture);
    for (const face of [ada.pane.locator(".avatar.own img"), davi.pane.locator(".avatar.other img")]) {
      await face.waitFor();
      await expect.poll(() => isShown(face), soon).toBe(true);
    }
    const add = ada.pane.getByLabel("Add a photo");
    await add.setInputFiles(picture);
    await ada.pane.getByText("Photos come from guests: book a walk first.").waitFor();
    await ada.slots.first().getByRole("button", { name: "Book" }).click();
    await ada.pane.locator(".slots .mine").waitFor();

    // Nothing of it can be packed, so there is a midst of it.
    const large = Buffer.concat([picture.buffer, randomBytes(3_000_000)]);
    const network = await page.context().newCDPSession(page);
    const throttle = (uploadThroughput: number) =>
      network.send("Network.emulateNetworkConditions", {
        offline: false,
        latency: 0,
        downloadThroughput: -1,
        uploadThroughput,
      });
    await network.send("Network.enable");
    await throttle(1_000_000);
    await add.setInputFiles({ ...picture, buffer: large });
    const bar = ada.pane.getByRole("progressbar");
    await expect
      .poll(async () => Number(await bar.evaluate((bar) => (bar as unknown as { value: number }).value)), soon)
      .toBeGreaterThan(0.25);
    await ada.pane.getByRole("button", { name: "Enter tunnel" }).click();
    await throttle(-1);
    const sent: string[] = [];
    page.on("request", (request) => sent.push(request.method()));
    await davi.write("Are you there?");
    expect(sent).not.toContain("PATCH");
    expect(await bar.isVisible()).toBe(true);
    await ada.pane.getByRole("button", { name: "Leave tunnel" }).click();
    for (const { pane } of [ada, davi]) {
      const photo = pane.getByAltText("A photo of Lisbon");
      await photo.waitFor();
      await expect.poll(() => isShown(photo), soon).toBe(true);
    }
    expect(await bar.count()).toBe(0);
    await ada.pane.locator(".photos li").first().hover();
    await ada.pane.getByRole("button", { name: "Remove the photo" }).click();
    await davi.pane.getByText("Photos").waitFor();
    await expect.poll(() => davi.pane.getByAltText("A photo of Lisbon").count(), soon).toBe(0);
  });

  it("fit on a phone, one after the other, and say when something happens to the other", async (test) => {
    const page = await browser.page(test, { viewport: { width: 390, height: 760 }, hasTouch: true });
    const { ada, davi } = await open(page);
    const tab = page.getByRole("link", { name: "Davi" });
    await expect.poll(() => page.getByRole("link", { name: "Ada" }).getAttribute("aria-current"), soon).toBe("true");
    await ada.write("Hello");
    await expect.poll(() => tab.locator(".news").isVisible(), soon).toBe(true);
    await tab.tap();
    await expect.poll(() => tab.getAttribute("aria-current"), soon).toBe("true");
    expect(await tab.locator(".news").isVisible()).toBe(false);
    await expect.poll(async () => (await davi.pane.boundingBox())?.x, soon).toBe(0);
    expect(await page.evaluate("document.documentElement.scrollWidth")).toBe(390);
    expect(await davi.shown()).toEqual(["Hello"]);
  });
});
