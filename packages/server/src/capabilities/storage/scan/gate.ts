import type { Values } from "../../../kernel/settings.ts";
import { Turns } from "../../../kernel/turns.ts";
import type { Observe } from "../../../platform/observe/observation.ts";
import type { ContentReader } from "../content/types.ts";
import type { Scanner } from "../ports.ts";
import { scanProblems } from "./problems.ts";
import type { scanSettings } from "./settings.ts";

export interface ScanGateNeeds {
  /** `null` where nothing scans: then everything passes. */
  readonly scanner: Scanner | null;
  readonly settings: Pick<
    Values<typeof scanSettings>,
    "storageScanLimitBytes" | "storageScanConcurrency" | "storageScanUnscanned"
  >;
  readonly observe: Observe;
}

/** What every upload passes between the last byte and the moment it is visible. */
export interface ScanGate {
  readonly isOpen: boolean;
  /** @throws Problem `storage/infected`, or when it cannot be scanned and that is to be refused */
  pass(reader: ContentReader): Promise<void>;
}

export function createScanGate({ scanner, settings, observe }: ScanGateNeeds): ScanGate {
  const turns = new Turns(settings.storageScanConcurrency);
  const isAllowedUnscanned = settings.storageScanUnscanned === "allow";
  if (scanner === null) return { isOpen: true, async pass() {} };
  return {
    isOpen: false,
    async pass(reader) {
      if (reader.sizeBytes > settings.storageScanLimitBytes) {
        if (isAllowedUnscanned) return;
        throw scanProblems.notScannable();
      }
      const verdict = await turns
        .take(() => scanner.scan(reader.stream()))
        .catch((error: unknown) => {
          observe({
            kind: "warning",
            area: "storage",
            message: `${scanner.description} does not scan: ${String(error)}`,
          });
          if (isAllowedUnscanned) return null;
          throw scanProblems.scannerUnavailable(error);
        });
      if (verdict?.isClean === false) throw scanProblems.infected(verdict.finding);
    },
  };
}
