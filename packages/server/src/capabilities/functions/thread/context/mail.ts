import type { Mails } from "@mainstay/functions";
import type { Json } from "../../../../platform/jobs/types.ts";

/** @param put asks the server to keep one: by itself, or in a transaction */
export const createMails = (put: (mail: Json) => Promise<Json | undefined>): Mails => ({
  // What is no text, and more than there is to say, is the server's to refuse.
  send: async (mail) => (await put({ ...mail })) as { readonly id: string },
});
