/** An error as plain values, whole: its causes, its stack, and what libraries hang on it (`code`, `detail`, `sqlstate`). */
export function errorFields(error: unknown, depth = 0): unknown {
  if (!(error instanceof Error))
    return typeof error === "object" && error !== null ? inspectable(error) : String(error);
  const own: Record<string, unknown> = Object.create(null);
  for (const name of Object.keys(error)) {
    const value = (error as unknown as Record<string, unknown>)[name];
    if (name !== "cause" && (value === null || ["string", "number", "boolean"].includes(typeof value)))
      own[name] = value;
  }
  return {
    type: error.name,
    message: clip(error.message),
    ...own,
    stack: clip(error.stack ?? ""),
    ...(error.cause === undefined || depth >= causesLimit ? {} : { cause: errorFields(error.cause, depth + 1) }),
  };
}

/** Errors can point at themselves, and messages can quote a whole body. */
const causesLimit = 5;
const textLimit = 16_384;

const clip = (text: string) => (text.length <= textLimit ? text : `${text.slice(0, textLimit)}… (clipped)`);

function inspectable(value: object): string {
  try {
    return clip(JSON.stringify(value) ?? String(value));
  } catch {
    return "[something that is not JSON]";
  }
}
