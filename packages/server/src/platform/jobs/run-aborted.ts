/**
 * - `cancelled`: somebody cancelled the job.
 * - `lost`: this node could not say in time that it lives, and another may have the job by now.
 * - `timeout`: the run took longer than its handler allows.
 * - `stopping`: the server stops, and gives the job back.
 */
export type AbortReason = "cancelled" | "lost" | "timeout" | "stopping";

const sentences: Readonly<Record<AbortReason, string>> = {
  cancelled: "The job was cancelled.",
  lost: "This server has lost the job to another.",
  timeout: "The job took longer than it may.",
  stopping: "The server is stopping.",
};

/** The reason of a run's signal. */
export class RunAborted extends Error {
  override readonly name = "RunAborted";
  readonly reason: AbortReason;

  constructor(reason: AbortReason) {
    super(sentences[reason]);
    this.reason = reason;
  }
}
