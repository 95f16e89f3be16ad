/** `mainstay config show` lists every setting, with where each value comes from. */
export default {
  auth: {
    // What mails and authenticator apps call the app.
    mailFromName: "Roam",
    // People begin without an account, and complete it when there is something to keep.
    anonymousEnabled: true,
    redirectAllowList: ["roam://**"],
  },
};
