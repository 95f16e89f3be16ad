import { describe, expect, it } from "vitest";
import type { Change, ChangedRelation, RowImage } from "../../../kernel/change.ts";
import { readFrame } from "../testing.ts";
import { storedBroadcastOf } from "./message-rows.ts";
import { outgoingOf, type Published } from "./published.ts";

const columns = ["topic", "extension", "payload", "event", "private", "id", "binary_payload"];

function messages(name = "messages", schema = "realtime"): ChangedRelation {
  return {
    oid: 1,
    schema,
    name,
    replicaIdentity: "default",
    columns: columns.map((column) => ({ name: column, typeOid: 25, typeName: "text", isKey: false })),
    indexOf: (column) => columns.indexOf(column),
  };
}

const row = (values: Readonly<Record<string, string | null>> = {}): RowImage => {
  const all: Readonly<Record<string, string | null>> = {
    topic: "a",
    extension: "broadcast",
    payload: '{"n": 1}',
    event: "e",
    private: "t",
    id: "1111",
    binary_payload: null,
    ...values,
  };
  return columns.map((column) => all[column] ?? null);
};
const insert = (image: RowImage, relation = messages()): Change => ({ op: "insert", relation, new: image, old: null });

describe("broadcasts of the database", () => {
  it("say which row they are, and go to the room it names", () => {
    expect(storedBroadcastOf(insert(row()), 100)).toEqual({
      id: "1111",
      expiresAtMs: null,
      published: {
        form: "bytes",
        room: "private:a",
        event: "e",
        encoding: "json",
        metadata: '{"id":"1111"}',
        payload: Buffer.from('{"n": 1}'),
      },
    });
    expect(storedBroadcastOf(insert(row({ private: "f" })), 100)?.published.room).toBe("public:a");
    const bytes = storedBroadcastOf(insert(row({ payload: null, binary_payload: "\\x00ff" })), 100)!;
    expect(bytes.published).toMatchObject({ encoding: "bytes", payload: Buffer.from([0, 255]) });
  });

  it("R06: go to the private room when the row does not say", () => {
    expect(storedBroadcastOf(insert(row({ private: null })), 100)?.published.room).toBe("private:a");
  });

  it("come from partitions, too, and from no other table", () => {
    expect(storedBroadcastOf(insert(row(), messages("messages_2026_11_21")), 100)).not.toBeNull();
    expect(storedBroadcastOf(insert(row(), messages("messages_default")), 100)).not.toBeNull();
    expect(storedBroadcastOf(insert(row(), messages("messages_archive")), 100)).toBeNull();
    expect(storedBroadcastOf(insert(row(), messages("messages", "public")), 100)).toBeNull();
  });

  it.each([
    ["rows of presence", row({ extension: "presence" })],
    ["no topic", row({ topic: null })],
    ["no event", row({ event: null })],
    ["no payload", row({ payload: null })],
    ["a large payload", row({ payload: `"${"x".repeat(200)}"` })],
  ])("are none: %s", (_, image) => {
    expect(storedBroadcastOf(insert(image), 100)).toBeNull();
  });

  it("are none: what is updated or deleted", () => {
    const relation = messages();
    expect(storedBroadcastOf({ op: "update", relation, new: row(), old: null }, 100)).toBeNull();
    expect(storedBroadcastOf({ op: "delete", relation, new: null, old: row() }, 100)).toBeNull();
  });
});

describe("how a broadcast is framed", () => {
  const bytes = (more: Partial<Published & { form: "bytes" }> = {}): Published => ({
    form: "bytes",
    room: "private:a:b",
    event: "e",
    encoding: "json",
    metadata: '{"id":"1"}',
    payload: Buffer.from("[1]"),
    ...more,
  });

  it("as kind 4 for newer clients and as text for older ones", () => {
    const message = outgoingOf(bytes())!;
    expect(readFrame(message.frame("2.0.0")!)).toMatchObject({
      topic: "realtime:a:b",
      broadcast: { event: "e", metadata: '{"id":"1"}', encoding: "json", payload: Buffer.from("[1]") },
    });
    expect(readFrame(message.frame("1.0.0")!)).toMatchObject({
      topic: "realtime:a:b",
      event: "broadcast",
      payload: { type: "broadcast", event: "e", payload: [1], meta: { id: "1" } },
    });
  });

  it("not at all for older clients when it is bytes", () => {
    const message = outgoingOf(bytes({ encoding: "bytes" }))!;
    expect(message.frame("1.0.0")).toBeNull();
    expect(message.frame("2.0.0")).not.toBeNull();
  });

  it("as text for everybody when it was published as text", () => {
    const payload = { type: "broadcast", event: "e", payload: 1 };
    const message = outgoingOf({ form: "text", room: "public:a", payload: Buffer.from(JSON.stringify(payload)) })!;
    for (const version of ["1.0.0", "2.0.0"] as const) {
      expect(readFrame(message.frame(version)!)).toMatchObject({ topic: "realtime:a", event: "broadcast", payload });
    }
  });

  it("as text for everybody when its name fits into no frame of kind 4; bytes then reach nobody", () => {
    const event = "é".repeat(128);
    expect(readFrame(outgoingOf(bytes({ event }))!.frame("2.0.0")!).payload).toEqual({
      type: "broadcast",
      event,
      payload: [1],
      meta: { id: "1" },
    });
    expect(outgoingOf(bytes({ event, encoding: "bytes" }))).toBeNull();
  });
});
