import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Meta, RoomView } from "./room-view.ts";

type Metas = Readonly<Record<string, { readonly metas: readonly Readonly<Record<string, unknown>>[] }>>;
interface Diff {
  readonly joins: Metas;
  readonly leaves: Metas;
}

let refs = 0;
const meta = (key: string, fields: unknown = {}): Meta => {
  refs += 1;
  return { key, ref: `r${refs}`, fields: JSON.stringify(fields) };
};
const diffOf = (view: RoomView): Diff | null => JSON.parse(view.diff() ?? "null") as Diff | null;
const stateOf = (view: RoomView): Metas => JSON.parse(view.state()) as Metas;

describe("who is in a room", () => {
  it("is told in a diff, and in the state once it was told", () => {
    const view = new RoomView();
    const ana = meta("ana", { at: "door" });
    view.set("n/1", ana);
    expect(stateOf(view)).toEqual({});
    expect(diffOf(view)).toEqual({ joins: { ana: { metas: [{ phx_ref: ana.ref, at: "door" }] } }, leaves: {} });
    expect(stateOf(view)).toEqual({ ana: { metas: [{ phx_ref: ana.ref, at: "door" }] } });
    expect(diffOf(view)).toBeNull();
  });

  it("joins anew with what it said before among the leaves, and its ref", () => {
    const view = new RoomView();
    const before = meta("ana", { at: "door" });
    const after = meta("ana", { at: "bar" });
    view.set("n/1", before);
    view.diff();
    view.set("n/1", after);
    expect(diffOf(view)).toEqual({
      joins: { ana: { metas: [{ phx_ref: after.ref, phx_ref_prev: before.ref, at: "bar" }] } },
      leaves: { ana: { metas: [{ phx_ref: before.ref, at: "door" }] } },
    });
  });

  it("names the last ref that was shown, not one that never was", () => {
    const view = new RoomView();
    const [first, second, third] = [meta("a"), meta("a"), meta("a")];
    view.set("n/1", first);
    view.diff();
    view.set("n/1", second);
    view.set("n/1", third);
    expect(diffOf(view)?.joins).toEqual({ a: { metas: [{ phx_ref: third.ref, phx_ref_prev: first.ref }] } });
  });

  it("says nothing of those who came and went meanwhile", () => {
    const view = new RoomView();
    view.set("n/1", meta("a"));
    view.set("n/1", null);
    expect(view.diff()).toBeNull();
    expect(view.isEmpty).toBe(true);
  });

  it("keeps clients with one key apart", () => {
    const view = new RoomView();
    const [phone, tablet] = [meta("ana", { on: "phone" }), meta("ana", { on: "tablet" })];
    view.set("n/1", phone);
    view.set("m/1", tablet);
    view.diff();
    expect(stateOf(view).ana?.metas.map(({ on }) => on)).toEqual(["phone", "tablet"]);
    view.set("n/1", null);
    expect(diffOf(view)).toEqual({ joins: {}, leaves: { ana: { metas: [{ phx_ref: phone.ref, on: "phone" }] } } });
    expect(stateOf(view).ana?.metas.map(({ on }) => on)).toEqual(["tablet"]);
  });

  it("takes any key, those of objects among them", () => {
    const view = new RoomView();
    view.set("n/1", meta("__proto__"));
    view.set("n/2", meta('"\\\n'));
    view.diff();
    const state = new Map(Object.entries(stateOf(view)));
    expect([...state.keys()]).toEqual(["__proto__", '"\\\n']);
  });

  it("is, for whoever adds up the diffs, what the state says", () => {
    const step = fc.record({
      instance: fc.nat(5),
      key: fc.constantFrom("a", "b"),
      does: fc.constantFrom("set", "drop", "tell"),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const view = new RoomView();
        const client = new Map<string, string>();
        const hear = (): void => {
          const diff = diffOf(view);
          const each = (metas: Metas): string[][] =>
            Object.entries(metas).flatMap(([key, of]) => of.metas.map(({ phx_ref }) => [String(phx_ref), key]));
          for (const [ref] of each(diff?.leaves ?? {})) expect(client.delete(ref!)).toBe(true);
          for (const [ref, key] of each(diff?.joins ?? {})) client.set(ref!, key!);
        };
        for (const { instance, key, does } of steps) {
          if (does === "tell") hear();
          else view.set(`n/${instance}`, does === "set" ? meta(key) : null);
        }
        hear();
        const state = Object.entries(stateOf(view)).flatMap(([key, { metas }]) =>
          metas.map(({ phx_ref }) => `${phx_ref} ${key}`),
        );
        expect(state.sort()).toEqual([...client].map(([ref, key]) => `${ref} ${key}`).sort());
      }),
    );
  });
});
