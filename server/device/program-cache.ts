/** Compiled programs by key: each is compiled once, for whoever asks first, and all of them end together. */
import type { Program } from './program.ts';

export class ProgramCache<Key> {
  private readonly programs = new Map<Key, Promise<Program>>();

  /**
   * The program of `key`; `compile` makes it where there is none. Whoever asks while it is made waits for the same one.
   *
   * @throws what `compile` throws; that is forgotten then, so the next one tries again
   */
  get(key: Key, compile: () => Promise<Program>): Promise<Program> {
    const known = this.programs.get(key);
    if (known !== undefined) return known;
    const made = compile();
    this.programs.set(key, made);
    made.catch(() => {
      if (this.programs.get(key) === made) this.programs.delete(key);
    });
    return made;
  }

  /** Ends all programs, also those that are being compiled, and forgets them. It can be used again. */
  async dispose(): Promise<void> {
    const programs = [...this.programs.values()];
    this.programs.clear();
    for (const program of await Promise.allSettled(programs)) {
      if (program.status === 'fulfilled') await program.value.dispose();
    }
  }
}
