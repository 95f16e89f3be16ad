import { list, type Settings, text } from "../../../kernel/settings.ts";

export const encryptionSettings = {
  storageEncryptionKey: text<string | null>({
    env: ["MAINSTAY_STORAGE_ENCRYPTION_KEY"],
    default: null,
    isSecret: true,
    summary:
      "Encrypts the bytes of new files: 32 random bytes in base64 or hex, as `openssl rand -base64 32` makes them. Whoever loses it loses the files.",
  }),
  storageEncryptionFormerKeys: {
    ...list({
      env: ["MAINSTAY_STORAGE_ENCRYPTION_FORMER_KEYS"],
      default: [],
      summary:
        "Keys of before, with which older files are still read. `mainstay storage rotate-key` moves files to the present one; then these may go.",
    }),
    isSecret: true,
  },
} satisfies Settings;
