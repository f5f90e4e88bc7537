/**
 * What stands in the files of the folders that completions are asked for in: read when the first completion of a language is asked
 * for, in the background, and looked at again now and then. Nobody waits for it: a completion goes by what has been read by then.
 * It is kept in memory alone; but a suggestion may be recorded as feedback, so it has nothing that feedback would not keep.
 */
import { setTimeout as delay, setImmediate as pause } from 'node:timers/promises';
import { CacheModel, type TextCache } from '../completion/cache-model.ts';
import type { LoadedModel } from '../completion/loaded-model.ts';
import { documentTokens } from '../completion/prompt.ts';
import { newestFiles, writtenText } from '../data/beside.ts';
import { globBeside } from '../data/languages.ts';
import { looksSecret, namedPrivate } from '../feedback/privacy.ts';
import type { ProjectPlace } from '../protocol/completion.ts';

/** Folders and languages whose files are kept, the last ones that were asked for. */
const mostProjects = 4;
/** Files of one, the newest, and what is read of each. */
const mostFiles = 4000;
const mostCharacters = 64 * 1024;
/** Milliseconds. */
const headStart = 50;
/** To look for changes takes a share of the time of the engine at most. */
const shortestPause = 15_000;
const share = 1 / 50;

/** The files of a folder in one language. */
class Project {
  readonly cache = new CacheModel();
  /** Size and time of change of what was read, by path. */
  private readonly known = new Map<string, string>();
  private reading: Promise<void> | undefined;
  private next = 0;
  private closed = false;

  constructor(
    private readonly model: LoadedModel,
    private readonly root: string,
    private readonly glob: string,
    private readonly exclude: readonly string[],
  ) {}

  /** Begins to read what is new, if that is due. */
  refresh(): void {
    if (this.reading !== undefined || performance.now() < this.next) return;
    const reading = this.read();
    this.reading = reading;
    // What fails for a reason that nobody foresaw is not tried again; completion goes on without.
    reading.then(
      () => {
        this.reading = undefined;
      },
      () => {},
    );
  }

  /** When what is being read has been read. */
  async settled(): Promise<void> {
    await this.reading;
  }

  /** Lets the next completion look for changes, however soon it comes. */
  look(): void {
    this.next = 0;
  }

  close(): void {
    this.closed = true;
  }

  private async read(): Promise<void> {
    // Who asked is answered first: to list twenty thousand files takes a tenth of a second.
    await delay(headStart);
    const began = performance.now();
    const wanted = (path: string) => !namedPrivate(path, this.exclude);
    const files = await newestFiles(this.root, this.glob, mostFiles, wanted);
    const listed = performance.now() - began;
    const there = new Set(files.map(({ path }) => path));
    for (const path of this.known.keys()) {
      if (there.has(path)) continue;
      this.known.delete(path);
      this.cache.delete(path);
    }
    for (const [i, { path, mark }] of files.entries()) {
      if (this.closed) return;
      if (this.known.get(path) === mark) continue;
      this.known.set(path, mark);
      await pause();
      const text = withoutSecrets(await writtenText(path, mostCharacters));
      const tokens = documentTokens(this.model.tokenizer, text);
      let fits = this.cache.set(path, tokens);
      // What is older makes room for it.
      for (let older = files.length - 1; !fits && older > i; older--) {
        if (!this.cache.has(files[older].path)) continue;
        this.known.delete(files[older].path);
        this.cache.delete(files[older].path);
        fits = this.cache.set(path, tokens);
      }
      if (!fits) break;
    }
    this.next = performance.now() + Math.max(shortestPause, listed / share);
  }
}

/** Without the lines that feedback would not keep. */
const withoutSecrets = (text: string): string =>
  looksSecret(text)
    ? text
        .split('\n')
        .filter((line) => !looksSecret(line))
        .join('\n')
    : text;

export class ProjectTexts {
  private readonly projects = new Map<string, Project>();
  private model: LoadedModel | undefined;

  /** What has been read of the files beside a document. */
  of(model: LoadedModel, { root, document, exclude }: ProjectPlace): TextCache | undefined {
    const glob = globBeside(document);
    if (glob === undefined) return undefined;
    if (this.model !== model) this.close();
    this.model = model;
    const key = JSON.stringify([root, glob, exclude]);
    const project = this.projects.get(key) ?? new Project(model, root, glob, exclude);
    // The last one that was asked for is the last to go.
    this.projects.delete(key);
    this.projects.set(key, project);
    for (const [oldest, other] of this.projects) {
      if (this.projects.size <= mostProjects) break;
      other.close();
      this.projects.delete(oldest);
    }
    project.refresh();
    return project.cache.without(document);
  }

  look(): void {
    for (const project of this.projects.values()) project.look();
  }

  /** When all that is being read has been read. */
  async settled(): Promise<void> {
    await Promise.all([...this.projects.values()].map((project) => project.settled()));
  }

  close(): void {
    for (const project of this.projects.values()) project.close();
    this.projects.clear();
    this.model = undefined;
  }
}
