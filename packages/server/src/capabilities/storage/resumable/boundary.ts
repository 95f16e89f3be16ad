import { Problem } from "../../../kernel/problem.ts";
import type { Boundary } from "../../../kernel/route.ts";
import { storageBoundary } from "../boundary.ts";
import { tusHeaders } from "./headers.ts";

/** Storage's error shape under real statuses, which is what TUS clients go by (protocols: resumable uploads). */
export const resumableBoundary: Boundary = {
  name: "storage-resumable",
  render(problem, call) {
    const told = inTheirWords(problem);
    const reply = storageBoundary.render(told, call);
    return { ...reply, status: told.status, headers: [...reply.headers, ...tusHeaders] };
  },
};

function inTheirWords(problem: Problem): Problem {
  const { code, message, hint, headers } = problem;
  // Clients look for this text.
  if (code === "EntityTooLarge") return new Problem(code, 413, "Maximum size exceeded", { hint, headers });
  if (code.startsWith("identity/")) return new Problem(code, 403, message, { hint, headers });
  return problem;
}
