import { empty } from "../../kernel/route.ts";
import type { StoragePart } from "./part.ts";

/** Whether storage is there, as its clients ask (protocols: conventions). */
export const statusPart: StoragePart = {
  routes: [
    {
      method: "GET",
      path: "/status",
      access: "open",
      summary: "Says that storage is there.",
      handle: () => empty(200),
    },
    {
      method: "GET",
      path: "/version",
      access: "open",
      summary: "Which generation of the protocol is spoken.",
      handle: () => ({ status: 200, headers: ["Content-Type", "text/plain; charset=utf-8"], body: "1" }),
    },
  ],
};
