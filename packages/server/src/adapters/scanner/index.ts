import type { Scanner } from "../../capabilities/storage/index.ts";
import type { storageSettings } from "../../capabilities/storage/settings.ts";
import type { Values } from "../../kernel/settings.ts";
import { openClamdScanner } from "../clamd/index.ts";

/** Who scans uploads, as it is set; `null` for nobody. */
export function openScanner(settings: Values<typeof storageSettings>): Scanner | null {
  switch (settings.storageScanner) {
    case "none":
      return null;
    case "clamd":
      return openClamdScanner({ address: settings.storageClamdAddress, silenceMs: settings.storageScanSilenceMs });
  }
}
