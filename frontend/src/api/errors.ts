/** Why the server did not do what was asked. */
export type FailureKind = "network" | "session" | "conflict" | "refused";

/** An answer that is no success, or none at all. `detail` is one line for the user. */
export class Failure extends Error {
  override readonly name = "Failure";

  constructor(
    readonly kind: FailureKind,
    readonly detail: string,
    readonly theirs: Theirs | null = null,
  ) {
    super(detail);
  }
}

/** The revision that stands in the way of a save. */
export interface Theirs {
  readonly revision: number;
  readonly author: string | null;
}

export const NO_SERVER = "The server does not answer. Is visteer edit still running?";
export const NO_SESSION = "The session has ended. Open the link that visteer edit printed again.";

/** What is wrong in words, for any error. */
export function detailOf(error: unknown): string {
  return error instanceof Failure ? error.detail : error instanceof Error ? error.message : String(error);
}
