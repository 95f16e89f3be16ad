import { flag, integer, type Settings } from "../../../kernel/settings.ts";

export const auditSettings = {
  auditRetentionDays: integer<number>({
    env: ["MAINSTAY_AUDIT_RETENTION_DAYS"],
    default: 365,
    unit: "days",
    min: 0,
    max: 36_500,
    summary: "How long the audit log is kept: younger entries cannot be deleted, older ones are. 0 for ever.",
  }),
  auditSealSeconds: integer<number>({
    env: ["MAINSTAY_AUDIT_SEAL_SECONDS"],
    default: 60,
    unit: "s",
    min: 1,
    max: 86_400,
    summary: "How often new entries of the audit log are sealed, so that nobody changes them unseen.",
  }),
  auditRefreshes: flag({
    env: ["MAINSTAY_AUDIT_REFRESHES"],
    default: false,
    summary: "Write every token refresh into the audit log too: by far the most frequent event.",
  }),
} satisfies Settings;
