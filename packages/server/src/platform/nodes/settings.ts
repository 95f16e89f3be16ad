import { integer, type Settings } from "../../kernel/settings.ts";

/** Options of how the nodes of one database know each other. */
export const nodesSettings = {
  nodeBeatMs: integer({
    env: ["MAINSTAY_NODE_BEAT_MS"],
    default: 2_000,
    unit: "ms",
    min: 20,
    max: 60_000,
    summary: "How often a server that is not alone on its database says that it lives, and looks who else does.",
  }),
  nodeGoneMs: integer({
    env: ["MAINSTAY_NODE_GONE_MS"],
    default: 10_000,
    unit: "ms",
    min: 100,
    max: 600_000,
    summary:
      "After how long a silence a server is taken for gone; at least three times as long as between two of its beats.",
  }),
} satisfies Settings;
