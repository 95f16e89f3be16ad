import { expect, test } from "vitest";
import type { Socket } from "../types.ts";
import { Sightings } from "./sightings.ts";

/** A socket whose client says what it has when the test wants it. */
function socketOf() {
  const asked = { arrived: [] as (() => void)[], read: [] as (() => void)[] };
  const socket = {
    isGivenUp: false,
    confirm: (told: () => void) => asked.arrived.push(told),
    confirmRead: (told: () => void) => asked.read.push(told),
  };
  // Nothing else of it is used here.
  return { socket: socket as unknown as Socket & { isGivenUp: boolean }, asked };
}

const never = Number.NEGATIVE_INFINITY;

test("what a client has is what its websocket has confirmed last", () => {
  let position = 10n;
  const sightings = new Sightings(() => position);
  const { socket, asked } = socketOf();
  sightings.enter(socket);
  expect(sightings.arrived(socket, never)).toBeNull();
  sightings.ask();
  position = 20n;
  sightings.ask();
  expect(sightings.arrived(socket, never)).toBeNull();
  asked.arrived.shift()?.();
  expect(sightings.arrived(socket, never)).toBe(10n);
  asked.arrived.shift()?.();
  expect(sightings.arrived(socket, never)).toBe(20n);
  expect(sightings.arrived(socket, performance.now())).toBeNull();
});

test("R13 what a client has that gave its connection up is what it has read", () => {
  let position = 10n;
  const sightings = new Sightings(() => position);
  const { socket, asked } = socketOf();
  sightings.enter(socket);
  sightings.ask();
  asked.read.shift()?.();
  const readBefore = performance.now();
  position = 20n;
  sightings.ask();
  for (const told of asked.arrived) told();
  expect(sightings.arrived(socket, never)).toBe(20n);
  socket.isGivenUp = true;
  expect(sightings.arrived(socket, never)).toBe(10n);
  expect(sightings.arrived(socket, readBefore)).toBeNull();
});

test("nothing is asked while the place is unknown", () => {
  const sightings = new Sightings(() => 0n);
  const { socket, asked } = socketOf();
  sightings.enter(socket);
  sightings.ask();
  expect(asked).toEqual({ arrived: [], read: [] });
});
