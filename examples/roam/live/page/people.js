/**
 * Two of the demo people that `seeds/people.sql` makes: one offers a walk through Lisbon, the other may come along.
 * @typedef {{ id: string, username: string, name: string, about: string }} Person
 */

/** @type {Person} */
export const guest = {
  id: "a1000000-0000-4000-8000-000000000001",
  username: "ada",
  name: "Ada",
  about: "Guest, from Lagos",
};

/** @type {Person} */
export const host = {
  id: "a1000000-0000-4000-8000-000000000004",
  username: "davi",
  name: "Davi",
  about: "Host in Lisbon",
};

/**
 * A client of the person's own, signed in. A reload takes up the session that the tab has: signing in is limited, as it should be.
 * @param {{ url: string, anonKey: string }} project @param {Person} person
 */
export async function signIn({ url, anonKey }, { id, username }) {
  const client = globalThis.supabase.createClient(url, anonKey, {
    auth: { storage: sessionStorage, storageKey: `roam-${username}` },
  });
  const { data } = await client.auth.getUser();
  if (data.user?.id === id) return client;
  const { error } = await client.auth.signInWithPassword({
    email: `${username}@roam.example`,
    password: "roam-demo-password",
  });
  if (error) throw error;
  return client;
}
