import { expect, it } from "vitest";
import { type Linked, LinkedList } from "./linked-list.ts";

class Member implements Linked<Member> {
  previous: Member | null = null;
  next: Member | null = null;
  isLinked = false;
  readonly name: string;
  constructor(name: string) {
    this.name = name;
  }
}

const listOf = (names: string): [LinkedList<Member>, readonly Member[]] => {
  const list = new LinkedList<Member>();
  const members = [...names].map((name) => new Member(name));
  for (const member of members) list.add(member);
  return [list, members];
};
const namesIn = (list: LinkedList<Member>): string => [...list].map(({ name }) => name).join("");

it.each(["a", "b", "c"])("gives up %s, wherever it stands, once", (name) => {
  const [list, members] = listOf("abc");
  const gone = members.find((member) => member.name === name)!;
  expect([list.remove(gone), list.remove(gone)]).toEqual([true, false]);
  expect(namesIn(list)).toBe("cba".replace(name, ""));
  expect(list.count).toBe(2);
  expect([gone.previous, gone.next]).toEqual([null, null]);
  list.add(gone);
  expect(namesIn(list)).toBe(name + "cba".replace(name, ""));
});

it("can be emptied, and filled again", () => {
  const [list, members] = listOf("ab");
  for (const member of members) list.remove(member);
  expect([namesIn(list), list.count, list.first]).toEqual(["", 0, null]);
  list.add(members[0]!);
  expect(namesIn(list)).toBe("a");
});

it("is gone through as it was, without those removed on the way", () => {
  const [list, [a, b, c]] = listOf("abc");
  const seen: string[] = [];
  for (const { name } of list) {
    seen.push(name);
    if (name !== "c") continue;
    list.remove(b!);
    list.remove(c!);
    list.add(new Member("d"));
  }
  expect(seen).toEqual(["c", "a"]);
  expect(namesIn(list)).toBe("da");
  expect(a!.isLinked).toBe(true);
});
