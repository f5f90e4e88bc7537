/** What the language server is asked, over files of 5 MB that mean ill and well: how long it computes, and others wait. */
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { root as project } from '../scripts/bundles.mjs';
import { inspectData, surveyFiles } from '../server/protocol/data.ts';
import { compareSettings, runDetails, runMetrics, runSamples } from '../server/protocol/history.ts';
import { listModels } from '../server/protocol/model.ts';
import { listRuns, nameRun } from '../server/protocol/runs.ts';
import { Run } from '../server/store/run.ts';
import type { Bench, Measure } from './measure.ts';
import { cut, documents, logs, rows } from './requests/files.ts';
import { type Took, WatchedServer } from './requests/watched-server.ts';

const position = { line: 0, character: 1 };
const range = { start: position, end: position };
/** What an editor asks of a text. */
const ofTexts: Readonly<Record<string, object>> = {
  codeLens: {},
  documentSymbol: {},
  completion: { position },
  hover: { position },
  documentLink: {},
  codeAction: { range, context: { diagnostics: [] } },
};
/** Files of a run that each shape takes the place of. */
const places = ['spec.yaml', 'metrics.jsonl', 'samples.jsonl', 'log.txt', 'lock', 'checkpoints/4/state.json'];

class Kinds {
  private readonly took = new Map<string, (Took & { readonly file: string })[]>();

  add(kind: string, file: string, took: Took): void {
    const all = this.took.get(kind) ?? [];
    all.push({ ...took, file });
    this.took.set(kind, all);
    if (process.env.COLA_REQUESTS === '1' && took.computed > 50) console.error(kind, file, took);
  }

  /** Of each kind half, 95 % and all of the requests: computed by the server's thread, and on the clock. */
  measures(): Measure[] {
    const at = (values: readonly number[], share: number) =>
      [...values].sort((a, b) => a - b)[Math.min(values.length - 1, Math.floor(share * values.length))];
    return [...this.took].flatMap(([kind, all]): Measure[] => {
      const worst = all.reduce((a, b) => (b.computed > a.computed ? b : a));
      const computed = all.map((each) => each.computed);
      const shares = [
        ['half of', 0.5],
        ['95 % of', 0.95],
      ] as const;
      return [
        ...shares.map(([name, share]) => ({
          ...{ name: `${kind}: ${name} ${all.length}, computed`, value: at(computed, share), unit: 'ms' },
        })),
        { name: `${kind}: most, computed (${worst.file})`, value: worst.computed, unit: 'ms' },
        { name: `${kind}: most, on the clock`, value: Math.max(...all.map(({ wall }) => wall)), unit: 'ms' },
        { name: `${kind}: most that another waits`, value: Math.max(...all.map(({ others }) => others)), unit: 'ms' },
      ];
    });
  }
}

async function askAboutTexts(server: WatchedServer, kinds: Kinds): Promise<void> {
  let made = 0;
  for (const [name, whole] of Object.entries(documents)) {
    const texts = { [name]: whole, [`${name}, 131 kB`]: cut(whole), [`${name}, 13 kB`]: cut(whole, 0.1) };
    for (const [file, text] of Object.entries(texts)) {
      // Each kind of request is the first of a text once: what one has read the next need not.
      for (const [method, more] of Object.entries(ofTexts)) {
        const uri = `file:///nowhere/${made++}.cola.yaml`;
        kinds.add('opening', file, await server.open(uri, `${text}\n# ${made}`.slice(0, Math.max(text.length, 1))));
        kinds.add(method, file, await server.ask(`textDocument/${method}`, { textDocument: { uri }, ...more }));
        kinds.add('typing', file, await server.type(uri, 2));
        await server.close(uri);
      }
    }
  }
}

async function askAboutRuns(server: WatchedServer, kinds: Kinds, scratch: string): Promise<void> {
  let made = 0;
  for (const place of places) {
    for (const [name, text] of Object.entries({ ...logs, ...documents })) {
      const root = join(scratch, `runs-${made++}`);
      mkdirSync(root);
      const run = await Run.create(root, 'r', 'model: m\nstages:\n  - clone: { data: a.txt }\n');
      run.metrics.append({ step: 1, stage: 'clone', loss: 2 } as { step: number });
      const state = { at: 0, done: 4, before: 0, best: null, unmeasured: false, changed: [] };
      await run.saveCheckpoint(4, { files: {}, state }, { keep: 1 });
      run.close();
      writeFileSync(join(root, '.cola/runs/r', place), text);
      const key = { root, run: 'r' };
      const file = `${place}: ${name}`;
      for (const [type, params] of [
        [listRuns, { roots: [root] }],
        [runDetails, key],
        [runMetrics, key],
        [runSamples, key],
        [compareSettings, { runs: [key] }],
        [nameRun, { root, specFile: join(root, 'r.cola.yaml') }],
        [listModels, { roots: [root], folders: [] }],
      ] as const)
        kinds.add(type.method, file, await server.ask(type.method, params));
      rmSync(root, { recursive: true });
    }
  }
}

async function askAboutData(server: WatchedServer, kinds: Kinds, scratch: string): Promise<void> {
  const every = {
    ...rows,
    ...Object.fromEntries(Object.entries(logs).map(([k, v]) => [`${k.replaceAll(' ', '-')}.jsonl`, v])),
  };
  for (const [name, text] of Object.entries(every)) {
    const root = join(scratch, `data-${name}`);
    mkdirSync(root);
    const file = join(root, name);
    writeFileSync(file, text);
    kinds.add(inspectData.method, name, await server.ask(inspectData.method, { file }));
    writeFileSync(join(root, 'a.ts'), text);
    kinds.add(surveyFiles.method, name, await server.ask(surveyFiles.method, { root }));
    const model = join(root, 'model');
    mkdirSync(model);
    for (const of of ['config.json', 'cola.json', 'model.safetensors']) writeFileSync(join(model, of), text);
    kinds.add(listModels.method, name, await server.ask(listModels.method, { roots: [root], folders: [model] }));
    rmSync(root, { recursive: true });
  }
}

export const requestsBench: Bench = {
  name: 'requests',
  about: 'what the language server is asked over files of 5 MB: how long its thread computes, and how long others wait',
  async run(): Promise<Measure[]> {
    if (process.platform !== 'linux' || !existsSync(join(project, 'dist/server.js'))) {
      console.error('Not measured: it needs Linux and npm run build.');
      return [];
    }
    const scratch = mkdtempSync(join(tmpdir(), 'cola-requests-'));
    const server = new WatchedServer();
    const kinds = new Kinds();
    try {
      await server.initialize();
      await askAboutTexts(server, kinds);
      await askAboutRuns(server, kinds, scratch);
      await askAboutData(server, kinds, scratch);
      return kinds.measures();
    } finally {
      await server.stop();
      rmSync(scratch, { recursive: true, force: true });
    }
  },
};
