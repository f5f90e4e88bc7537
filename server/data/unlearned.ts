/**
 * Tokens that are read and not learned, such as what a world says to an agent. In a stream of tokens they stand as the
 * complement of their id, so that every window of it carries its mask.
 */

export const unlearned = (id: number): number => ~id;

/** Ids as they are, and a mask that is 1 where a token is learned. */
export function unmasked(marked: Int32Array): { readonly ids: Int32Array; readonly mask: Float32Array } {
  return {
    ids: marked.map((id) => (id < 0 ? ~id : id)),
    mask: Float32Array.from(marked, (id) => (id < 0 ? 0 : 1)),
  };
}
