import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { PgoutputError, readMessage } from "./pgoutput.ts";

/** Big-endian bytes, as PostgreSQL sends them. */
class Bytes {
  readonly #parts: Buffer[] = [];

  text(value: string): this {
    this.#parts.push(Buffer.from(value, "utf8"));
    return this;
  }
  name(value: string): this {
    return this.text(`${value}\0`);
  }
  int(value: number, size: 1 | 2 | 4): this {
    const part = Buffer.alloc(size);
    part.writeIntBE(value, 0, size);
    this.#parts.push(part);
    return this;
  }
  long(value: bigint): this {
    const part = Buffer.alloc(8);
    part.writeBigInt64BE(value);
    this.#parts.push(part);
    return this;
  }
  value(text: string): this {
    return this.text("t").int(Buffer.byteLength(text), 4).text(text);
  }
  get all(): Buffer {
    return Buffer.concat(this.#parts);
  }
}

const relation = new Bytes()
  .text("R")
  .int(7, 4)
  .name("public")
  .name("todos")
  .text("d")
  .int(2, 2)
  .int(1, 1)
  .name("id")
  .int(23, 4)
  .int(-1, 4)
  .int(0, 1)
  .name("title")
  .int(25, 4)
  .int(-1, 4).all;
const update = new Bytes()
  .text("U")
  .int(7, 4)
  .text("K")
  .int(2, 2)
  .value("1")
  .text("n")
  .text("N")
  .int(2, 2)
  .value("2")
  .text("u").all;
const samples: readonly Buffer[] = [
  new Bytes().text("B").long(100n).long(0n).int(5, 4).all,
  new Bytes().text("C").int(0, 1).long(100n).long(120n).long(1n).all,
  new Bytes().text("O").long(1n).name("elsewhere").all,
  relation,
  new Bytes().text("Y").int(20_000, 4).name("public").name("mood").all,
  new Bytes().text("I").int(7, 4).text("N").int(2, 2).value("1").value("grüße 👋").all,
  update,
  new Bytes().text("D").int(7, 4).text("O").int(2, 2).value("1").text("n").all,
  new Bytes().text("T").int(2, 4).int(0, 1).int(7, 4).int(8, 4).all,
  new Bytes().text("M").int(1, 1).long(90n).name("prefix").int(3, 4).text("abc").all,
];

describe("pgoutput", () => {
  it("is read message by message", () => {
    expect(samples.map((bytes) => readMessage(bytes))).toEqual([
      { tag: "begin", finalLsn: 100n, committedAtUs: 946_684_800_000_000n, xid: 5 },
      { tag: "commit", lsn: 100n, endLsn: 120n, committedAtUs: 946_684_800_000_001n },
      { tag: "origin", name: "elsewhere" },
      {
        tag: "relation",
        relation: {
          oid: 7,
          schema: "public",
          name: "todos",
          replicaIdentity: "default",
          columns: [
            { name: "id", typeOid: 23, isKey: true },
            { name: "title", typeOid: 25, isKey: false },
          ],
        },
      },
      { tag: "type", oid: 20_000, schema: "public", name: "mood" },
      { tag: "insert", oid: 7, new: ["1", "grüße 👋"] },
      { tag: "update", oid: 7, old: { isWhole: false, values: ["1", null] }, new: ["2", undefined] },
      { tag: "delete", oid: 7, old: { isWhole: true, values: ["1", null] } },
      { tag: "truncate", oids: [7, 8] },
      { tag: "message", isTransactional: true, lsn: 90n, prefix: "prefix", content: Buffer.from("abc") },
    ]);
  });

  it("keeps nothing of the bytes it was given", () => {
    const bytes = Buffer.from(samples.at(-1)!);
    const message = readMessage(bytes);
    bytes.fill(0);
    expect(message).toMatchObject({ prefix: "prefix", content: Buffer.from("abc") });
  });

  it("is refused when it ends too early, wherever that is", () => {
    for (const sample of samples) {
      for (let length = 0; length < sample.length; length++) {
        expect(() => readMessage(sample.subarray(0, length))).toThrow(PgoutputError);
      }
    }
  });

  it("is refused when something follows", () => {
    for (const sample of samples)
      expect(() => readMessage(Buffer.concat([sample, Buffer.from([0])]))).toThrow(PgoutputError);
  });

  it.each([
    ["a tag nobody knows", Buffer.from("Z")],
    ["a replica identity nobody knows", Buffer.from(relation).fill("x", 18, 19)],
    ["a negative length", new Bytes().text("I").int(7, 4).text("N").int(1, 2).text("t").int(-5, 4).all],
    ["more columns than bytes", new Bytes().text("I").int(7, 4).text("N").int(30_000, 2).text("n").all],
    ["a negative number of columns", new Bytes().text("I").int(7, 4).text("N").int(-1, 2).all],
    ["more tables than bytes", new Bytes().text("T").int(2_000_000_000, 4).int(0, 1).all],
    ["a value marked otherwise", new Bytes().text("I").int(7, 4).text("N").int(1, 2).text("b").int(0, 4).all],
    ["a new row marked as old", new Bytes().text("I").int(7, 4).text("K").int(0, 2).all],
    ["an old row marked as new", new Bytes().text("D").int(7, 4).text("N").int(0, 2).all],
  ])("is refused with %s", (_, bytes) => {
    expect(() => readMessage(bytes)).toThrow(PgoutputError);
  });

  it("R10: any bytes are a message or refused by name, never anything else", () => {
    const tags = fc.constantFrom(..."BCORYIUDTM");
    const spoilt = fc
      .tuple(fc.constantFrom(...samples), fc.nat(), fc.nat(255))
      .map(([sample, at, byte]) => Buffer.from(sample).fill(byte, at % sample.length, (at % sample.length) + 1));
    const invented = fc
      .tuple(tags, fc.uint8Array({ maxLength: 60 }))
      .map(([tag, rest]) => Buffer.concat([Buffer.from(tag), rest]));
    fc.assert(
      fc.property(fc.oneof(spoilt, invented), (bytes) => {
        try {
          return typeof readMessage(bytes).tag === "string";
        } catch (error) {
          return error instanceof PgoutputError;
        }
      }),
      { numRuns: 20_000 },
    );
  });
});
