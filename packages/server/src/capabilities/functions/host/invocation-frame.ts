import type { FrameWriter } from "../channel/frame-writer.ts";
import { bodyFlag, joinHead } from "../channel/heads.ts";
import { frameKind } from "../channel/kinds.ts";
import { inPieces } from "../channel/pieces.ts";
import type { HttpInput } from "../types.ts";
import type { Task } from "./task.ts";

/**
 * Writes what a thread needs to begin this invocation, under the task's number; `caller` is who it is for, by the number that the thread knows.
 *
 * @returns the body of its request that is yet to be sent, piece by piece; `null` when the frame says all
 */
export function writeInvocation(writer: FrameWriter, task: Task, caller: number) {
  const { invocation, work, number } = task;
  const mark = invocation.isCalled ? bodyFlag.mark : 0;
  if (work.kind === "run") {
    writer
      .begin(frameKind.run, number)
      .u16(invocation.index)
      .u8(mark)
      .u16(caller)
      .latin1(invocation.id)
      .text(JSON.stringify([work.input, work.context]))
      .end();
    return null;
  }
  const { method, url, headers } = work.input;
  const body = inPieces(work.input.body);
  const isWhole = Buffer.isBuffer(body);
  writer
    .begin(frameKind.request, number)
    .u16(invocation.index)
    .u8(mark | (isWhole ? bodyFlag.whole : body === null ? 0 : bodyFlag.streams))
    .u16(caller)
    .latin1(headOf(invocation.id, method, url, headers));
  if (isWhole) writer.bytes(body);
  writer.end();
  return isWhole ? null : body;
}

/** Heads are written once, as one text. */
function headOf(id: string, method: string, url: string, headers: HttpInput["headers"]): string {
  const head = `${id}\0${method}\0${url}`;
  return headers.length === 0 ? head : `${head}\0${joinHead(headers)}`;
}
