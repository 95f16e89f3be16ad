import { createServer } from "node:net";
import { expect, test } from "vitest";
import { Problem } from "../../kernel/problem.ts";
import { listen } from "./listen.ts";
import { openTestServer } from "./test-server.ts";

test("a busy port is named, with what to do", async () => {
  const first = await openTestServer([]);
  try {
    const failure = await openTestServer([], { settings: { port: first.port } }).then(
      () => null,
      (error: unknown) => error,
    );
    expect(failure).toBeInstanceOf(Problem);
    expect(failure).toMatchObject({
      code: "http/port-busy",
      message: `Port ${first.port} on 127.0.0.1 is already in use.`,
      details: { host: "127.0.0.1", port: first.port },
    });
    expect((failure as Problem).hint).toContain("--port");
  } finally {
    await first.stop();
  }
});

test("an address of another machine is named", async () => {
  await expect(listen(createServer(), "192.0.2.1", 0)).rejects.toMatchObject({ code: "http/host-unknown" });
});

test("every interface has a name one can connect to", async () => {
  const server = createServer();
  const { url, port } = await listen(server, "0.0.0.0", 0);
  expect(url).toBe(`http://localhost:${port}`);
  await new Promise((resolve) => server.close(resolve));
});
