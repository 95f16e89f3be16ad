import { describe, expect, it } from "vitest";
import { FilterError } from "../../../platform/changes/filters/filter.ts";
import type { Channel } from "../types.ts";
import { AskedFilters } from "./asked-filters.ts";
import type { ResolvedBinding } from "./resolve.ts";

const channelOf = (socket: object, role = "anon") => ({ socket, who: { role } }) as unknown as Channel;
/** Of one table, with these filters; those in capitals are decided in memory. */
const binding = (...keys: string[]) =>
  ({
    table: { relation: { oid: 1 } },
    conditions: keys.map((key) => ({ key, decide: key === key.toUpperCase() ? () => true : null })),
  }) as unknown as ResolvedBinding;

describe("R12 filters that PostgreSQL is asked about", () => {
  it("are so many for one connection, over all its channels", () => {
    const filters = new AskedFilters({ perSocket: 3, total: 100 });
    const [socket, other] = [{}, {}];
    const [one, two] = [channelOf(socket), channelOf(socket)];
    filters.take(one, [binding("a", "A"), binding("b")]);
    expect(() => filters.take(two, [binding("c", "d")])).toThrow(FilterError);
    filters.take(two, [binding("c")]);
    filters.take(channelOf(other), [binding("c", "d", "e")]);
    // In place of what it had.
    filters.take(two, [binding("A", "B", "C", "D")]);
    filters.take(one, [binding("a", "b", "c")]);
    filters.release(one);
    filters.take(two, [binding("a", "b", "c")]);
    expect(() => filters.take(one, [binding("a")])).toThrow("at most 3 filters");
  });

  it("are so many different ones for all, where equal ones of one role are asked once", () => {
    const filters = new AskedFilters({ perSocket: 100, total: 2 });
    for (let socket = 0; socket < 50; socket++) filters.take(channelOf({ socket }), [binding("a"), binding("b")]);
    expect(() => filters.take(channelOf({}), [binding("c")])).toThrow("too many filters");
    expect(() => filters.take(channelOf({}, "authenticated"), [binding("a")])).toThrow("too many filters");
    const gone = new AskedFilters({ perSocket: 100, total: 2 });
    const channels = [channelOf({}), channelOf({})] as const;
    for (const channel of channels) gone.take(channel, [binding("a", "b")]);
    gone.release(channels[0]);
    expect(() => gone.take(channels[0], [binding("c")])).toThrow("too many filters");
    gone.release(channels[1]);
    gone.take(channels[0], [binding("c", "d")]);
  });
});
