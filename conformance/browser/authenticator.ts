import type { CDPSession, Page } from "playwright-core";

/** A credential as Chromium's virtual authenticator holds it (DevTools protocol, WebAuthn.Credential). */
export interface HeldCredential {
  readonly credentialId: string;
  readonly isResidentCredential: boolean;
  readonly rpId?: string;
  readonly privateKey: string;
  readonly userHandle?: string;
  readonly signCount: number;
}

/** An authenticator in software (WebAuthn Level 3 §11, through Chromium's DevTools). */
export interface VirtualAuthenticator {
  credentials(): Promise<readonly HeldCredential[]>;
  /** Puts a credential in that was made elsewhere. */
  add(credential: HeldCredential): Promise<void>;
  /** Whether the person shows a finger or face when asked. */
  setVerifies(isVerified: boolean): Promise<void>;
  /** Whether the person touches it when it asks. Of two, the one that is touched answers for all. */
  setTouched(isTouched: boolean): Promise<void>;
}

/**
 * Gives a page an authenticator that keeps passkeys and asks nobody: the device's own, or a key that is plugged in. It goes with
 * the page.
 */
export async function addAuthenticator(
  page: Page,
  transport: "internal" | "usb" = "internal",
): Promise<VirtualAuthenticator> {
  const session: CDPSession = await page.context().newCDPSession(page);
  await session.send("WebAuthn.enable");
  const { authenticatorId } = await session.send("WebAuthn.addVirtualAuthenticator", {
    options: {
      protocol: "ctap2",
      ctap2Version: "ctap2_1",
      transport,
      hasResidentKey: true,
      hasUserVerification: true,
      isUserVerified: true,
      automaticPresenceSimulation: true,
    },
  });
  return {
    credentials: async () => (await session.send("WebAuthn.getCredentials", { authenticatorId })).credentials,
    async add(credential) {
      await session.send("WebAuthn.addCredential", { authenticatorId, credential });
    },
    async setVerifies(isUserVerified) {
      await session.send("WebAuthn.setUserVerified", { authenticatorId, isUserVerified });
    },
    async setTouched(enabled) {
      await session.send("WebAuthn.setAutomaticPresenceSimulation", { authenticatorId, enabled });
    },
  };
}
