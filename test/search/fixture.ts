/** The reference models, and a model that notes which states were asked for. */
import { join } from 'node:path';
import { ColaModel } from '../../server/cola/model.ts';
import type { Branch, BranchedModel } from '../../server/search/branches.ts';
import type { Looked, SearchModel } from '../../server/search/model.ts';

export const fixtureNames = ['n8-plain', 'n8-residual'] as const;

export const fixtureFolder = (name: string) => join(import.meta.dirname, '../fixtures/cola', name);

export const loadFixture = (name: (typeof fixtureNames)[number]) => ColaModel.load(fixtureFolder(name));

function sequence(branch: Branch): string {
  const tokens: number[] = [];
  for (let at: Branch | null = branch; at !== null; at = at.parent) tokens.unshift(...at.tokens);
  return tokens.join();
}

export class WatchedModel implements SearchModel<Branch> {
  readonly asked = new Set<string>();
  mostBytes = 0;

  constructor(readonly inner: BranchedModel) {}

  get numCodes() {
    return this.inner.numCodes;
  }
  get vocabSize() {
    return this.inner.vocabSize;
  }
  get endIds() {
    return this.inner.endIds;
  }
  get hasQ() {
    return this.inner.hasQ;
  }
  get hasValue() {
    return this.inner.hasValue;
  }
  get context() {
    return this.inner.context;
  }
  open(prompt: readonly number[]): Branch {
    return this.inner.open(prompt);
  }
  child(state: Branch, token: number): Branch {
    return this.inner.child(state, token);
  }
  async look(states: readonly Branch[]): Promise<Looked> {
    for (const state of states) this.asked.add(sequence(state));
    const looked = await this.inner.look(states);
    this.mostBytes = Math.max(this.mostBytes, this.inner.bytes);
    return looked;
  }
}
