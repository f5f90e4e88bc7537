/** Why the jobs of an engine that closes are cancelled: nobody asked for their end. */
export class EngineClosing extends DOMException {
  constructor() {
    super('The engine is closing.', 'AbortError');
  }
}
