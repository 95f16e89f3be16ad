import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { describe, expect, it } from "vitest";

/** Where each public method is tried: the file calls it by its name. */
const tried: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  RealtimeClient: {
    channel: "client.test.ts",
    connect: "client.test.ts",
    connectionState: "client.test.ts",
    disconnect: "client.test.ts",
    endpointURL: "client.test.ts",
    getChannels: "client.test.ts",
    hasLogger: "client.test.ts",
    isConnected: "client.test.ts",
    isConnecting: "client.test.ts",
    isDisconnecting: "client.test.ts",
    log: "client.test.ts",
    onHeartbeat: "client.test.ts",
    push: "client.test.ts",
    removeAllChannels: "client.test.ts",
    removeChannel: "client.test.ts",
    sendHeartbeat: "client.test.ts",
    setAuth: "private.test.ts",
  },
  RealtimeChannel: {
    copyBindings: "client.test.ts",
    httpSend: "http.test.ts",
    on: "realtime-app.ts",
    presenceState: "presence.test.ts",
    send: "broadcast.test.ts",
    subscribe: "realtime-app.ts",
    teardown: "client.test.ts",
    track: "presence.test.ts",
    unsubscribe: "broadcast.test.ts",
    untrack: "presence.test.ts",
    updateJoinPayload: "client.test.ts",
  },
};

/** The package's own declarations, which are all there is to say about what is public in it. */
const dir = (() => {
  const { resolve } = createRequire(createRequire(import.meta.url).resolve("@supabase/supabase-js"));
  return join(dirname(resolve("@supabase/realtime-js")), "..", "module");
})();

/** Members of a class stand at four spaces, and nothing else does; methods have a parameter list. */
function methodsOf(name: string): readonly string[] {
  const declarations = readFileSync(join(dir, `${name}.d.ts`), "utf8").replace(/\/\*[\s\S]*?\*\//g, "");
  const [, body = ""] = new RegExp(`class ${name} \\{\\n([\\s\\S]*?)\\n\\}`).exec(declarations) ?? [];
  const found = [...body.matchAll(/^ {4}([a-z]\w*)(?:<[^(]*>)?\(/gm)].map(([, member = ""]) => member);
  return [...new Set(found)].filter((member) => member !== "constructor");
}

describe.each(Object.entries(tried))("public methods of %s", (name, methods) => {
  it("are each named above, and what is named is there", () => {
    expect(methodsOf(name).toSorted()).toEqual(Object.keys(methods).toSorted());
  });

  it.each(Object.entries(methods))("%s is called in %s", (method, file) => {
    expect(readFileSync(join(import.meta.dirname, file), "utf8")).toMatch(new RegExp(`\\.${method}(<[^(]*>)?\\(`));
  });
});
