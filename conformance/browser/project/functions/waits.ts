import { serve } from "@mainstay/functions";

/** Says that it has begun and never answers; says when its caller has left. */
export default serve((request, { log, signal }) => {
  const id = new URL(request.url).searchParams.get("id") ?? "";
  log.info(`begun ${id}`);
  signal.addEventListener("abort", () => log.info(`left ${id}`));
  return new Promise<Response>(() => {});
});
