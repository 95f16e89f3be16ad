/** What the server says when more was missed than it keeps. */
const missed = "Some messages were missed";

/**
 * Everything of this person's that is a row, over one channel. The policies of the tables say what is theirs; filters only spare what
 * the page does not show. Resolves when it has been read for the first time.
 */
export function followRows(client, me, told) {
  const { read, slotChanged, booked, cancelled, said, takenBack, broughtIn, profileChanged, photoAdded, photoRemoved } =
    told;
  return new Promise((resolve, reject) => {
    let isRead = false;
    const on = (event, table, tell, filter) => [
      "postgres_changes",
      { event, schema: "public", table, ...(filter && { filter }) },
      tell,
    ];
    const channel = client.channel("roam");
    for (const listener of [
      on("UPDATE", "slots", (change) => slotChanged(change.new)),
      on("INSERT", "bookings", (change) => booked(change.new)),
      on("DELETE", "bookings", (change) => cancelled(change.old)),
      on("INSERT", "messages", (change) => said(change.new)),
      on("DELETE", "messages", (change) => takenBack(change.old)),
      on("UPDATE", "profiles", (change) => profileChanged(change.new)),
      on("INSERT", "review_photos", (change) => photoAdded(change.new)),
      on("DELETE", "review_photos", (change) => photoRemoved(change.old)),
      on("INSERT", "conversation_members", (change) => broughtIn(change.new), `member_id=eq.${me.id}`),
    ]) {
      channel.on(...listener);
    }
    channel.on("system", {}, ({ extension, status, message }) => {
      if (extension === "postgres_changes" && status === "error") reject(new Error(message));
      // Once they are on. Later the server sends what was missed, unless it says that it cannot.
      const isOn = extension === "postgres_changes" && status === "ok" && !isRead;
      if (!isOn && !(extension === "system" && message.startsWith(missed))) return;
      isRead = true;
      read().then(resolve, reject);
    });
    channel.subscribe((status, error) => {
      if (status === "CHANNEL_ERROR" && !isRead && error) reject(error);
    });
  });
}

/** Who is here and who types: a private channel that only members of the conversation may join. */
export function joinConversation(client, id, me, talk) {
  const channel = client.channel(`conversation:${id}`, {
    config: { private: true, presence: { key: me.id }, broadcast: { ack: false } },
  });
  channel
    .on("presence", { event: "sync" }, () => talk.here(Object.keys(channel.presenceState())))
    .on("broadcast", { event: "typing" }, ({ payload }) => talk.types(payload.member_id))
    .subscribe((status) => {
      // Each time it is joined: also after a tunnel.
      if (status === "SUBSCRIBED") channel.track({ since: new Date().toISOString() });
    });
  talk.tellTyping = () => {
    if (client.realtime.isConnected()) {
      channel.send({ type: "broadcast", event: "typing", payload: { member_id: me.id } });
    }
  };
}
