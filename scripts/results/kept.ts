/**
 * What was found at each place of a measurement, in a file of lines under `.cache/results`, so that it can be ended at any time.
 * The file's name knows the model and the settings, and each line its place and the code that found it: what other code found
 * does not count.
 */
import { createHash, type Hash } from 'node:crypto';
import { appendFileSync, existsSync, mkdirSync, readFileSync } from 'node:fs';
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { ChoiceHalves, KeptPlaces } from '../../server/evaluate/choice/choice.ts';
import type { ChoicePlace } from '../../server/evaluate/choice/places.ts';

type Half = keyof ChoiceHalves;

const cut = ['healing', 'prompt', 'stop'].map((name) => `server/completion/${name}.ts`);

/** The code that each half measures, and by which: folders and files. */
const rooms: Readonly<Record<Half, readonly string[]>> = {
  actions: ['server/cola', 'server/completion', 'server/evaluate/choice'],
  controls: ['server/evaluate/choice', ...cut],
};

async function add(hash: Hash, folder: string): Promise<void> {
  if ((await stat(folder)).isFile()) {
    hash.update(await readFile(folder));
    return;
  }
  const entries = await readdir(folder, { withFileTypes: true, recursive: true });
  // What is written about a model is no part of it.
  const counting = entries.filter((entry) => entry.isFile() && !entry.name.endsWith('.md'));
  const files = counting.map(({ parentPath, name }) => join(parentPath, name));
  for (const file of files.sort()) hash.update(file.slice(folder.length)).update(await readFile(file));
}

const short = (hash: Hash) => hash.digest('hex').slice(0, 16);

async function codeOf(half: Half): Promise<string> {
  const hash = createHash('sha256');
  for (const room of rooms[half]) await add(hash, room);
  return short(hash);
}

const key = (place: string, half: Half, code: string) => `${place} ${half} ${code}`;

const nameOf = ({ prefix, rest }: ChoicePlace) => short(createHash('sha256').update(JSON.stringify([prefix, rest])));

interface Line {
  readonly place: string;
  readonly half: Half;
  readonly code: string;
  readonly values: unknown;
}

/** Undefined for a line that was not written to its end. */
function lineOf(text: string): Line | undefined {
  try {
    // Nats of no text are no number, for which JSON has null.
    return JSON.parse(text, (_, value) => (value === null ? Number.NaN : value));
  } catch {
    return undefined;
  }
}

export class KeptOnDisk implements KeptPlaces {
  private constructor(
    private readonly file: string,
    private readonly code: Readonly<Record<Half, string>>,
    private readonly found: Map<string, unknown>,
  ) {}

  /** @param about what else decides what is found at a place @param model its folder */
  static async open(about: unknown, model: string, folder = join('.cache', 'results')): Promise<KeptOnDisk> {
    const hash = createHash('sha256').update(JSON.stringify(about));
    await add(hash, model);
    mkdirSync(folder, { recursive: true });
    const file = join(folder, `choice-${short(hash)}.jsonl`);
    const found = new Map<string, unknown>();
    // Ended within a line: the next begins on one of its own.
    appendFileSync(file, existsSync(file) ? '\n' : '');
    for (const line of readFileSync(file, 'utf8').split('\n')) {
      const known = lineOf(line);
      if (known !== undefined) found.set(key(known.place, known.half, known.code), known.values);
    }
    return new KeptOnDisk(file, { actions: await codeOf('actions'), controls: await codeOf('controls') }, found);
  }

  get<H extends Half>(place: ChoicePlace, half: H): ChoiceHalves[H] | undefined {
    return this.found.get(key(nameOf(place), half, this.code[half])) as ChoiceHalves[H] | undefined;
  }

  put<H extends Half>(place: ChoicePlace, half: H, values: ChoiceHalves[H]): void {
    appendFileSync(this.file, `${JSON.stringify({ place: nameOf(place), half, code: this.code[half], values })}\n`);
  }
}
