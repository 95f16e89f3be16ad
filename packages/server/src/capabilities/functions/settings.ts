import { flag, type Settings } from "../../kernel/settings.ts";

/** The app's own code. */
export const functionsSettings = {
  functionsEnabled: flag({
    env: ["MAINSTAY_FUNCTIONS_ENABLED", "FUNCTIONS_ENABLED"],
    default: true,
    summary: "Run what is in the project's folder `functions/`.",
  }),
} satisfies Settings;
