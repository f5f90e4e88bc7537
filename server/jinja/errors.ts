/** Why a template cannot be read or run. Whoever uses the engine turns it into an error of the catalogue. */
export class JinjaError extends Error {
  override readonly name = 'JinjaError';
}
