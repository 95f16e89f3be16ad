/** Replaces members for good. */
export function lock(target: object, members: Readonly<Record<string, unknown>>): void {
  for (const [name, value] of Object.entries(members)) {
    Object.defineProperty(target, name, { value, writable: false, configurable: false, enumerable: true });
  }
}

/** Replaces members that packages may replace once more, as they do: what was there is nobody's any more, so nobody can put it back. */
export function put(target: object, members: Readonly<Record<string | symbol, unknown>>): void {
  for (const name of Reflect.ownKeys(members)) {
    Object.defineProperty(target, name, {
      value: members[name as string],
      writable: true,
      configurable: true,
      enumerable: true,
    });
  }
}
