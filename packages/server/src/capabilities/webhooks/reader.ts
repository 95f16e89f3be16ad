import { randomUUID } from "node:crypto";
import type { Batch, ChangedRelation } from "../../kernel/change.ts";
import type { Values } from "../../kernel/settings.ts";
import { FilterError } from "../../platform/changes/filters/filter.ts";
import { type DurableReader, fillUnchanged, formatLsn } from "../../platform/changes/index.ts";
import type { Jobs, NewJob } from "../../platform/jobs/types.ts";
import type { Observe } from "../../platform/observe/observation.ts";
import type { Database, Queryable } from "../../platform/postgres/database.ts";
import { messageBody, oldImage, type RowChange, rowJson, rowKey } from "./body.ts";
import { fitting } from "./filter-store.ts";
import type { webhooksSettings } from "./settings.ts";
import { type NewDelivery, webhooksStore } from "./store.ts";
import { type Webhook, webhookJobs } from "./types.ts";

export interface ReaderNeeds {
  readonly db: Database;
  readonly jobs: Pick<Jobs, "enqueue">;
  readonly settings: Values<typeof webhooksSettings>;
  readonly observe: Observe;
}

/** Which webhooks a table's changes may be for, and how its rows are named. */
interface TableFacts {
  readonly primaryKey: readonly string[];
  readonly names: readonly { readonly schema: string; readonly table: string }[];
}

/** Turns changes into deliveries and their jobs, in the transaction that moves the cursor: each change is told once. */
export function webhooksReader({ db, jobs, settings, observe }: ReaderNeeds): DurableReader {
  const facts = new WeakMap<ChangedRelation, TableFacts>();

  const factsOf = async (relation: ChangedRelation): Promise<TableFacts> => {
    const known = facts.get(relation);
    if (known !== undefined) return known;
    const found = await webhooksStore.tableFacts(db, relation.oid);
    const own = { schema: relation.schema, table: relation.name };
    // Dropped since: the log still knows what it was called.
    const made = found.names.length > 0 ? found : { ...found, names: [own] };
    facts.set(relation, made);
    return made;
  };

  return {
    name: "webhooks",
    async onEntries(entries, tx) {
      const batches = entries.filter((entry): entry is Batch => entry.kind === "batch" && entry.changes.length > 0);
      if (batches.length === 0) return;
      const webhooks = await webhooksStore.enabled(tx);
      if (webhooks.length === 0) return;
      const found: { readonly delivery: Omit<NewDelivery, "jobId">; readonly orderKey: string | null }[] = [];
      for (const batch of batches) found.push(...(await messagesOf(batch, webhooks, tx)));
      if (found.length === 0) return;
      const wanted = found.map(
        ({ delivery, orderKey }): NewJob => ({ name: webhookJobs, payload: { delivery: delivery.id }, orderKey }),
      );
      const made = await jobs.enqueue(tx, wanted);
      await webhooksStore.put(
        tx,
        found.map(({ delivery }, at) => ({ ...delivery, jobId: made[at]!.id })),
      );
    },
    onGap(reason) {
      observe({ kind: "warning", area: "webhooks", message: `Webhooks were not told of some changes (${reason}).` });
      return Promise.resolve();
    },
  };

  async function messagesOf(batch: Batch, webhooks: readonly Webhook[], tx: Queryable) {
    const wanted: { readonly at: number; readonly webhook: Webhook; readonly primaryKey: readonly string[] }[] = [];
    for (const [at, change] of batch.changes.entries()) {
      if (change.op === "truncate") continue;
      const { primaryKey, names } = await factsOf(change.relation);
      for (const webhook of webhooks) {
        const isItsTable = names.some(({ schema, table }) => schema === webhook.schema && table === webhook.table);
        if (isItsTable && webhook.operations.includes(change.op) && batch.lsn >= webhook.since) {
          wanted.push({ at, webhook, primaryKey });
        }
      }
    }
    if (wanted.length === 0) return [];
    const needed = new Set(wanted.map(({ at }) => at));
    const changes = await fillUnchanged(
      db,
      batch.xid,
      batch.changes.map((change, at) =>
        needed.has(at) ? change : { ...change, op: "truncate", new: null, old: null },
      ),
    );
    const kept = await filtered(wanted, changes as readonly RowChange[], tx);
    return kept.map(({ at, webhook, primaryKey }) => {
      const id = randomUUID();
      const change = changes[at] as RowChange;
      const key = rowKey(change, primaryKey);
      const facts = { id, committedAtUs: batch.committedAtUs, maxRowBytes: settings.webhookBodyBytes };
      return {
        delivery: {
          id,
          webhookId: webhook.id,
          eventId: `${formatLsn(batch.lsn)}/${batch.first + at}`,
          body: messageBody(webhook, change, facts),
        },
        orderKey: key === null ? null : `${webhook.id}/${change.relation.oid}/${key}`,
      };
    });
  }

  /** Leaves out what filters do not want. A filter that cannot be decided turns its webhook off: nothing is sent that was not asked for. */
  async function filtered<W extends { readonly at: number; readonly webhook: Webhook }>(
    wanted: readonly W[],
    changes: readonly RowChange[],
    tx: Queryable,
  ): Promise<readonly W[]> {
    const byWebhook = Map.groupBy(wanted, ({ webhook }) => webhook);
    const kept = new Set<W>();
    for (const [webhook, ones] of byWebhook) {
      try {
        const rows = webhook.filter === "" ? [] : ones.map(({ at }) => filterRow(changes[at]!));
        const places = webhook.filter === "" ? null : await fitting(db, webhook, rows, settings.webhookFilterTimeoutMs);
        for (const [place, one] of ones.entries()) if (places === null || places.has(place)) kept.add(one);
      } catch (error) {
        if (!(error instanceof FilterError)) throw error;
        await webhooksStore.disable(tx, webhook.id, error.message);
        observe({ kind: "webhook.disabled", webhook: webhook.name, reason: error.message });
      }
    }
    return wanted.filter((one) => kept.has(one));
  }
}

/** The row as filters see it: as it is, or of a delete as it was. */
function filterRow(change: RowChange): string {
  const image = change.op === "delete" ? oldImage(change)! : change.new;
  return rowJson(change.relation, image, null, Number.POSITIVE_INFINITY);
}
