/**
 * Gives a light class all that the real one has and it has not itself: each asks the real object, made at that moment. So a light object
 * is the real one in all that is not on the fast path, whatever the standard adds.
 */
export function delegate<Light extends object>(
  light: Light,
  real: object,
  realOf: (light: object) => object,
  except: readonly string[] = ["constructor"],
): void {
  for (const key of Reflect.ownKeys(real)) {
    if (Object.hasOwn(light, key) || (typeof key === "string" && except.includes(key))) continue;
    const descriptor = Object.getOwnPropertyDescriptor(real, key)!;
    if (descriptor.get) {
      Object.defineProperty(light, key, {
        configurable: true,
        enumerable: descriptor.enumerable ?? false,
        get(this: object) {
          return Reflect.get(realOf(this), key);
        },
      });
    } else if (typeof descriptor.value === "function") {
      Object.defineProperty(light, key, {
        ...descriptor,
        value(this: object, ...args: unknown[]) {
          const target = realOf(this);
          return Reflect.apply(Reflect.get(target, key) as () => unknown, target, args);
        },
      });
    }
  }
  Object.setPrototypeOf(light, real);
}
