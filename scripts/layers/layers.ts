/**
 * The rooms of the project, lowest first: a room may use what stands before it, and nothing behind it. This list is the only
 * place that says so; `npm run check` holds the imports of all files against it, and docs/architecture.md draws it.
 */
export interface Layer {
  /** A folder, or a single file. */
  readonly path: string;
  readonly what: string;
  /** Where a room may use less than all that stands before it: rooms, and single files of others. */
  readonly only?: readonly string[];
}

export const layers: readonly Layer[] = [
  { path: 'server/errors.ts', what: 'the catalogue of errors', only: [] },
  { path: 'server/random.ts', what: 'a seeded generator whose state can be saved', only: [] },
  {
    path: 'server/schemas',
    what: 'what is wrong with a value, and what was meant, in words',
    only: ['server/errors.ts'],
  },
  {
    path: 'server/protocol',
    what: 'requests, notifications, their schemas, and the channel they travel on: all that the editor, the pages and the engine share',
    only: ['server/errors.ts', 'server/schemas'],
  },
  {
    path: 'server/files',
    what: 'files of every kind: safe opening, bounded reading, atomic writing, safetensors',
    only: ['server/errors.ts'],
  },
  { path: 'server/jinja', what: 'chat templates, within bounds of steps, text and time', only: ['server/errors.ts'] },
  { path: 'server/graph', what: 'tensors, gradients and ONNX graphs, without a runtime', only: [] },
  { path: 'server/device', what: 'the only importer of onnxruntime-node' },
  {
    path: 'server/rewards',
    what: 'rewards and their sandboxes',
    only: ['server/errors.ts', 'server/random.ts', 'server/schemas', 'server/files', 'server/device/names.ts'],
  },
  {
    path: 'server/environments',
    what: 'worlds in which an agent acts turn by turn',
    only: ['server/errors.ts', 'server/random.ts', 'server/schemas', 'server/files', 'server/rewards'],
  },
  { path: 'server/store', what: 'runs on disk: logs, checkpoints, locks' },
  { path: 'server/model', what: 'base models: configuration, weights, tokenizer, chat template, cached decoding' },
  { path: 'server/cola', what: 'inverse dynamics, codebook, world model, policy' },
  { path: 'server/data', what: 'rows and tokens out of files' },
  { path: 'server/reward-model', what: 'reward models: their scores as a reward' },
  { path: 'server/spec', what: 'run specs and settings' },
  { path: 'server/found', what: 'models that lie on this machine: stores of other programs, sizes, families' },
  { path: 'server/search', what: 'Monte Carlo search over latent actions, and over turns in a world' },
  { path: 'server/feedback', what: 'what a person did, and versions of the policy' },
  { path: 'server/schedule', what: 'lanes: who goes first on the device' },
  { path: 'server/completion', what: 'completion by latent actions' },
  { path: 'server/serve', what: 'a model behind an address of this machine, for clients of the OpenAI API' },
  { path: 'server/train', what: 'stages, algorithms, rollouts, the optimiser, one loop for all' },
  { path: 'server/evaluate', what: 'measures of models' },
  {
    path: 'server/cluster',
    what: 'workers that compute the shards of a run or of a measurement: processes of this machine, or of a Ray cluster',
  },
  { path: 'server/check', what: 'this engine against an independent reference' },
  { path: 'server/tuning', what: 'tuning from feedback, its guard, and a simulated person' },
  { path: 'server/report', what: 'runs as a page' },
  { path: 'server/start', what: 'npm start' },
  { path: 'server/reproduce', what: 'claims of the paper, tried in several seeds, and what comes of them' },
  { path: 'server/engine', what: 'the process that computes: hosts of models, runs and searches' },
  {
    path: 'server/language',
    what: 'the language server, and its line to the engine',
    only: [
      'server/errors.ts',
      'server/protocol',
      'server/files',
      'server/schemas',
      'server/rewards',
      'server/store',
      'server/data',
      'server/spec',
      'server/feedback',
      'server/found',
      // What they say, without what computes.
      'server/device/errors.ts',
      'server/device/names.ts',
      'server/device/prerequisites.ts',
      'server/model/errors.ts',
      'server/model/tokenizer/errors.ts',
    ],
  },
  { path: 'server/main.ts', what: 'where the language server starts', only: ['server/language'] },
  { path: 'server/cli', what: 'the command line' },
  { path: 'src', what: 'the extension', only: ['server/protocol', 'server/errors.ts'] },
  { path: 'webview', what: 'the pages', only: ['server/protocol'] },
];

/** Packages that one room alone may know. */
export const packages: Readonly<Record<string, string>> = {
  'onnxruntime-node': 'server/device',
  vscode: 'src',
  '@vscode/webview-ui-toolkit': 'webview',
};
