import { serve } from "@mainstay/functions";

/** Never answers, and may not take long. */
export default serve({ timeoutMs: 200 }, () => new Promise<Response>(() => {}));
