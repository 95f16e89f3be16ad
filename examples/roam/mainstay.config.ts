/** `mainstay config show` lists every setting, with where each value comes from. */
export default {
  auth: {
    // What mails and authenticator apps call the app.
    mailFromName: "Roam",
    // People begin without an account, and complete it when there is something to keep.
    anonymousEnabled: true,
    redirectAllowList: ["roam://**"],
  },
  functions: {
    // The weather service that is part of this example runs on this machine, which functions cannot reach otherwise.
    functionsAllowedHosts: ["127.0.0.1:54390"],
    // What functions are told from the environment; the usual place is functions/.env.
    functionsSecrets: ["ROAM_PAYMENT_SECRET", "ROAM_WEATHER_URL", "ROAM_WEATHER_FRESH_MS"],
  },
};
