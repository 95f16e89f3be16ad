import { list, type Settings } from "../../../kernel/settings.ts";

export const sessionSettings = {
  sessionTags: list({
    env: ["MAINSTAY_SESSIONS_TAGS", "GOTRUE_SESSIONS_TAGS"],
    default: [],
    summary:
      "With one session per user: kinds of sessions, of each of which there may be one. A session whose `tag` is none of them counts as the first.",
  }),
} satisfies Settings;
