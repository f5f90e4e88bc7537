/** Models in the stores of other programs on this machine. Nothing is loaded, downloaded or changed. */
import { homedir } from 'node:os';
import { type Description, describeModel, type Refused } from './describe.ts';
import { huggingFace } from './huggingface.ts';
import { lmStudio } from './lm-studio.ts';
import { ollama } from './ollama.ts';
import { Budget, type Entry, type Environment } from './store.ts';

export const storeNames = ['huggingface', 'ollama', 'lmstudio'] as const;
export type StoreName = (typeof storeNames)[number];

const stores = { huggingface: huggingFace, ollama, lmstudio: lmStudio } as const;

export type FoundModel = Entry & { readonly store: StoreName } & (Description | Refused);

export interface Found {
  readonly models: readonly FoundModel[];
  /** Whether not everything was looked at. */
  readonly more: boolean;
}

export interface FindOptions {
  readonly env?: Environment;
  readonly home?: string;
  /** Files and folders that are looked at, and for how long, in milliseconds. */
  readonly most?: number;
  readonly patience?: number;
}

export async function findStored({
  env = process.env,
  home = homedir(),
  most = 5000,
  patience = 3000,
}: FindOptions = {}): Promise<Found> {
  const budget = new Budget(most, patience);
  const models: FoundModel[] = [];
  const seen = new Set<string>();
  for (const store of storeNames) {
    const { folders, entries } = stores[store](env, home);
    for (const folder of folders) {
      const found = await entries(folder, budget);
      for (const entry of found.sort((a, b) => a.name.localeCompare(b.name))) {
        // Two tags of Ollama may be one blob.
        if (seen.has(entry.path)) continue;
        seen.add(entry.path);
        if (budget.spent) return { models, more: true };
        models.push({ ...entry, store, ...(await describeModel(entry.path)) });
      }
    }
  }
  return { models, more: budget.spent };
}
