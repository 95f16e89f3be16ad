/** Where one column of a view comes from: a column of a table, or of another view, shown as it is. */
export interface ViewColumnOrigin {
  /** Number of the column in the view. */
  readonly position: number;
  readonly relation: number;
  readonly column: number;
}

const openParen = 0x28;
const closeParen = 0x29;
const colon = 0x3a;
const backslash = 0x5c;
const openBrace = 0x7b;
const closeBrace = 0x7d;

/**
 * Reads a view's rewrite rule (`pg_rewrite.ev_action` as text) for the columns it passes on unchanged. PostgreSQL records with
 * every target entry the table column it came from (`resorigtbl`, `resorigcol`: src/include/nodes/primnodes.h), through joins,
 * sub-selects and CTEs, but not through set operations, where it says 0.
 *
 * The text nests by `(` and `{`; special characters inside words are escaped with `\` (nodes/outfuncs.c, outToken). Target
 * lists also occur in sub-selects, so only the one directly in the outermost query counts: `({QUERY … :targetList ({TARGETENTRY …`,
 * hence the depths. One pass, no tree.
 */
export function viewOrigins(action: string): readonly ViewColumnOrigin[] {
  const origins: ViewColumnOrigin[] = [];
  let depth = 0;
  let isInTargetList = false;
  let entry = { position: 0, relation: 0, column: 0, isJunk: false };
  for (let at = 0; at < action.length; at++) {
    switch (action.charCodeAt(at)) {
      case backslash:
        at++;
        break;
      case openParen:
      case openBrace:
        depth++;
        if (isInTargetList && depth === 4) entry = { position: 0, relation: 0, column: 0, isJunk: false };
        break;
      case closeParen:
      case closeBrace:
        depth--;
        if (!isInTargetList) break;
        if (depth === 3 && entry.position > 0 && entry.relation > 0 && entry.column > 0 && !entry.isJunk)
          origins.push({ position: entry.position, relation: entry.relation, column: entry.column });
        if (depth === 2) return origins;
        break;
      case colon:
        if (depth === 2 && action.startsWith(":targetList (", at)) isInTargetList = true;
        else if (isInTargetList && depth === 4) readWord(action, at, entry);
        break;
    }
  }
  return origins;
}

function readWord(
  action: string,
  at: number,
  entry: { position: number; relation: number; column: number; isJunk: boolean },
): void {
  if (action.startsWith(":resno ", at)) entry.position = Number.parseInt(action.slice(at + 7, at + 20), 10);
  else if (action.startsWith(":resorigtbl ", at)) entry.relation = Number.parseInt(action.slice(at + 12, at + 26), 10);
  else if (action.startsWith(":resorigcol ", at)) entry.column = Number.parseInt(action.slice(at + 12, at + 26), 10);
  else if (action.startsWith(":resjunk ", at)) entry.isJunk = action.startsWith("true", at + 9);
}
