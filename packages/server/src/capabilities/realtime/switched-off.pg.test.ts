import { once } from "node:events";
import type { IncomingMessage } from "node:http";
import { boot } from "@mainstay/testing";
import { expect, it } from "vitest";
import { WebSocket } from "ws";

it("serves nothing where realtime is switched off, and takes what the database sends all the same", async () => {
  const app = await boot({ settings: { realtime: { realtimeEnabled: false } } });
  try {
    const socket = new WebSocket(`${app.url.replace("http", "ws")}/realtime/v1/websocket?apikey=${app.anonKey}`);
    socket.on("error", () => {});
    const [, response] = (await once(socket, "unexpected-response")) as [unknown, IncomingMessage];
    expect(response.statusCode).toBe(404);
    const post = await fetch(`${app.url}/realtime/v1/api/broadcast`, {
      method: "POST",
      headers: { apikey: app.anonKey, "Content-Type": "application/json" },
      body: JSON.stringify({ messages: [{ topic: "room", event: "a", payload: {} }] }),
    });
    expect(post.status).toBe(404);
    await app.sql("select realtime.send('{}', 'a', 'room')");
    expect(await app.sql("select event from realtime.messages")).toEqual([{ event: "a" }]);
    const [slots] = await app.sql<{ count: string }>(
      "select count(*) from pg_replication_slots where database = current_database()",
    );
    expect(slots!.count).toBe("0");
  } finally {
    await app.stop();
  }
});
