// What every page of the app begins with: a client as supabase-js's documentation has it, which reads its session from the address.
// The folder in the address says which flow: /implicit/account.html, /pkce/account.html.
const { url, anonKey } = globalThis.project;
const flowType = location.pathname.split("/")[1];
export const client = globalThis.supabase.createClient(url, anonKey, { auth: { flowType } });

/** Another page of the same flow. */
export const pageAt = (name) => new URL(name, location.href.split(/[?#]/)[0]).href;
export const show = (id, text) => {
  document.getElementById(id).textContent = text;
};
/** Runs a form's work when it is sent, and shows what came of it. */
export const onSubmit = (id, work) =>
  document.getElementById(id).addEventListener("submit", async (event) => {
    event.preventDefault();
    const fields = Object.fromEntries(new FormData(event.target));
    const { error, said } = await work(fields);
    show("said", error ? `${error.code ?? error.name}: ${error.message}` : said);
  });

document.body.insertAdjacentHTML(
  "beforeend",
  "<p id='who'></p><p id='events'></p><p id='problem'></p><p id='message'></p><p id='said'></p>",
);
// Read before the client takes what is its own out of the address.
show("message", new URLSearchParams(location.hash.slice(1)).get("message") ?? "");
const events = [];
client.auth.onAuthStateChange((event, session) => {
  events.push(event);
  show("events", events.join(" "));
  show("who", session ? `${session.user.email} by ${session.user.app_metadata.providers.toSorted()}` : "nobody");
});
client.auth.initialize().then(({ error }) => {
  show("problem", error ? `${error.details?.code ?? error.code ?? error.name}: ${error.message}` : "");
});
