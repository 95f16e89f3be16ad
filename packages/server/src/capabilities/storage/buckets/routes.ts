import { type Call, json, type Reply, type Route } from "../../../kernel/route.ts";
import { callerOf } from "../caller.ts";
import { readJsonBody } from "../objects/json-body.ts";
import { orRefuse } from "../objects/refusals.ts";
import { objectStore } from "../objects/store.ts";
import type { StorageCore } from "../part.ts";
import { problems } from "../problems.ts";
import type { Operation } from "../types.ts";
import { refuseVersions } from "../versions.ts";
import { bucketIdOf, readBucketQuery, readChanges, readNewBucket } from "./bucket-input.ts";
import { bucketProblems } from "./problems.ts";
import { bucketStore } from "./store.ts";

/** Objects deleted in one transaction when a bucket is emptied. */
const emptyBatch = 1_000;

/** Buckets over HTTP (protocols: buckets). Each asks as its caller: a bucket that is not theirs to see is not there. */
export function bucketRoutes({ session, identity, settings, buckets }: StorageCore): readonly Route[] {
  const { storageFileSizeLimitBytes: limitBytes } = settings;
  const askingOf = (call: Call, operation: Operation) => ({ session, who: callerOf(call, identity), operation });

  return [
    {
      method: "POST",
      path: "/bucket",
      access: "open",
      summary: "Makes a bucket.",
      async handle(call) {
        const asking = askingOf(call, "storage.bucket.create");
        const body = await readJsonBody(call);
        refuseVersions(body);
        const bucket = readNewBucket(body, limitBytes);
        await orRefuse(bucketStore.create(asking, bucket), { taken: problems.bucketAlreadyExists });
        buckets.forget(bucket.id);
        return json({ name: bucket.name });
      },
    },
    {
      method: "GET",
      path: "/bucket",
      access: "open",
      summary: "Lists the buckets the caller may see.",
      async handle(call) {
        const asking = askingOf(call, "storage.bucket.list");
        return jsonText(await orRefuse(bucketStore.list(asking, readBucketQuery(call.query))));
      },
    },
    {
      method: "GET",
      path: "/bucket/:id",
      access: "open",
      summary: "One bucket.",
      async handle(call) {
        const asking = askingOf(call, "storage.bucket.get");
        const bucket = await orRefuse(bucketStore.get(asking, bucketIdOf(call.params.id!)));
        if (bucket === null) throw problems.noSuchBucket();
        return jsonText(bucket);
      },
    },
    {
      method: "PUT",
      path: "/bucket/:id",
      access: "open",
      summary: "Changes who may read a bucket without a key, and which files it takes.",
      async handle(call) {
        const asking = askingOf(call, "storage.bucket.update");
        const id = bucketIdOf(call.params.id!);
        const body = await readJsonBody(call);
        refuseVersions(body);
        const changes = readChanges(body, limitBytes);
        if (!(await orRefuse(bucketStore.update(asking, id, changes)))) throw problems.noSuchBucket();
        buckets.forget(id);
        return json({ message: "Successfully updated" });
      },
    },
    {
      method: "POST",
      path: "/bucket/:id/empty",
      access: "open",
      summary: "Deletes all objects of a bucket that the caller may delete.",
      async handle(call) {
        const asking = askingOf(call, "storage.bucket.empty");
        const id = bucketIdOf(call.params.id!);
        if ((await orRefuse(bucketStore.get(asking, id))) === null) throw problems.noSuchBucket();
        // In steps: one that is cut short has done what it has done, and the next goes on.
        for (let after: string | null = ""; after !== null && !call.signal.aborted; ) {
          after = await orRefuse(objectStore.empty(asking, id, after, emptyBatch));
        }
        return json({ message: "Successfully emptied" });
      },
    },
    {
      method: "DELETE",
      path: "/bucket/:id",
      access: "open",
      summary: "Deletes a bucket that is empty.",
      async handle(call) {
        const asking = askingOf(call, "storage.bucket.delete");
        const id = bucketIdOf(call.params.id!);
        if (!(await orRefuse(bucketStore.remove(asking, id), { unreferenced: bucketProblems.notEmpty }))) {
          throw problems.noSuchBucket();
        }
        buckets.forget(id);
        return json({ message: "Successfully deleted" });
      },
    },
  ];
}

/** JSON that PostgreSQL has written. */
const jsonText = (body: string): Reply => ({
  status: 200,
  headers: ["Content-Type", "application/json; charset=utf-8"],
  body,
});
