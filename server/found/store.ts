/** What a store of models is to the list of all that lies on this machine. */

/** A model that lies somewhere, before anything of it was read. */
export interface Entry {
  /** As its store calls it. */
  readonly name: string;
  /** A folder or a GGUF file. */
  readonly path: string;
}

export interface Store {
  /** Absolute folders, of which any may be missing. */
  readonly folders: readonly string[];
  entries(folder: string, budget: Budget): Promise<Entry[]>;
}

/** How much is looked at: a list is not worth a walk through a whole disk. */
export class Budget {
  private readonly until: number;

  constructor(
    private left: number,
    milliseconds: number,
    private readonly now: () => number = () => performance.now(),
  ) {
    this.until = now() + milliseconds;
  }

  /** Whether something was left out. */
  get spent(): boolean {
    return this.left <= 0 || this.now() > this.until;
  }

  /** Asks for one more file or folder. */
  take(): boolean {
    if (this.spent) return false;
    this.left--;
    return true;
  }
}

/** What names of folders the environment gives. */
export type Environment = Readonly<Record<string, string | undefined>>;
