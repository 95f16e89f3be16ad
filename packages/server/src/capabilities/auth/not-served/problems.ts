import { auth } from "../problems.ts";

/** What clients of GoTrue can ask and this server does not do. */
export const notServedProblems = {
  /** The server signs nobody in to other apps, and providers are settings, not rows. */
  featureDisabled: (feature: string) => auth("feature_disabled", 404, `${feature} is not served`),
  /** Sign-in with a wallet is not served. */
  web3Disabled: () => auth("web3_provider_disabled", 422, "Web3 provider is disabled"),
};
