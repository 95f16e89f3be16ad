import type { Reply, Route } from "../../kernel/route.ts";

/**
 * Storage's routes are open, for it asks in its own way who somebody is, and so the platform does not know that an answer is one person's. Whatever
 * says nothing of caches is kept by none (threat X06); files say it themselves.
 */
export function keptByNoCache(route: Route): Route {
  return {
    ...route,
    handle(call) {
      const reply = route.handle(call);
      return reply instanceof Promise ? reply.then(marked) : marked(reply);
    },
  };
}

function marked(reply: Reply): Reply {
  const { headers } = reply;
  for (let at = 0; at < headers.length; at += 2) if (/^cache-control$/i.test(headers[at]!)) return reply;
  return { ...reply, headers: [...headers, "Cache-Control", "private, no-store"] };
}
