/** Why a join is refused, as clients show it: `Unauthorized: You do not have …` (protocols: failure reply). */
export class JoinRefusal extends Error {
  override readonly name = "JoinRefusal";
  readonly closesSocket: boolean;

  constructor(code: string, text: string, { closesSocket = false }: { readonly closesSocket?: boolean } = {}) {
    super(text === "" ? code : `${code}: ${text}`);
    this.closesSocket = closesSocket;
  }
}
