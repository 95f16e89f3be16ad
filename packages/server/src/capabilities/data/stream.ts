import type { Reply } from "../../kernel/route.ts";
import type { Row, RowStream } from "../../platform/postgres/session/types.ts";
import { answerColumn } from "./compile/answer.ts";
import type { Compiled, StreamTemplate } from "./compile/types.ts";
import { type Answer, finish, pageHead, type ReplyContext, readAnswer } from "./respond.ts";

/**
 * The reply of a page that may be large: its head from the first row, its body row by row in chunks, so that what we hold
 * of it is one chunk and what the sockets hold.
 */
export async function respondWithStream(
  compiled: Compiled,
  template: StreamTemplate,
  request: ReplyContext,
  rows: RowStream,
  chunkBytes: number,
): Promise<Reply> {
  const iterator = rows[Symbol.asyncIterator]();
  const first = await iterator.next();
  try {
    const answer = first.done ? noRows : readAnswer(first.value);
    const { status, headers } = pageHead(compiled, request, answer);
    const body = first.done ? template.open + template.close : chunks(first.value, iterator, template, chunkBytes);
    return finish(status, headers, answer, body);
  } catch (error) {
    await iterator.return?.();
    throw error;
  }
}

const noRows: Answer = { rows: 0, total: null, headers: null, status: null, inserted: null, body: null };

async function* chunks(
  first: Row,
  iterator: AsyncIterator<Row>,
  { open, separator, close }: StreamTemplate,
  chunkBytes: number,
): AsyncGenerator<Buffer> {
  const between = Buffer.from(separator);
  let pending: Buffer[] = [Buffer.from(open)];
  let size = pending[0]!.length;
  try {
    for (let row: Row | null = first, isFirst = true; row !== null; isFirst = false) {
      const element = row[answerColumn.body];
      if (!isFirst) pending.push(between);
      if (element != null) pending.push(element);
      size += (element?.length ?? 0) + (isFirst ? 0 : between.length);
      if (size >= chunkBytes) {
        // Copied out at once: a row is a view of the socket's own chunk, which it would keep alive.
        yield Buffer.concat(pending, size);
        pending = [];
        size = 0;
      }
      const next: IteratorResult<Row> = await iterator.next();
      row = next.done ? null : next.value;
    }
    pending.push(Buffer.from(close));
    yield Buffer.concat(pending);
  } finally {
    await iterator.return?.();
  }
}
