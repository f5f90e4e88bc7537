/** The server, its status, and where the person's folder is trusted or not. */
import type { Contribution } from './contribution.ts';

export const core = {
  commands: {
    'cola.showStatus': { title: 'Show Status and Actions', icon: '$(pulse)' },
    'cola.showLog': { title: 'Show Log', icon: '$(output)' },
    'cola.restartServer': { title: 'Restart Server', icon: '$(debug-restart)' },
    'cola.createDiagnostics': { title: 'Create Diagnostics' },
  },
  settings: {
    'cola.model': {
      type: 'string',
      default: 'builtin:nano',
      markdownDescription:
        'The model that completes: `builtin:nano`, the model in the box, or a model folder, absolute or relative to the first folder of the workspace.',
      scope: 'machine-overridable',
      order: 1,
    },
    'cola.device': {
      type: 'string',
      enum: ['auto', 'webgpu', 'cuda', 'dml', 'coreml', 'cpu'],
      default: 'auto',
      markdownDescription:
        'What computes. `auto` takes the fastest that works; the status bar says which. A run takes the `device` of its spec.',
      scope: 'machine-overridable',
      order: 2,
    },
    'cola.threads': {
      type: 'integer',
      default: 0,
      minimum: 0,
      maximum: 256,
      markdownDescription: 'Threads on the CPU. 0 takes all cores. A run takes the `threads` of its spec.',
      scope: 'machine',
      order: 3,
    },
    'cola.precision': {
      type: 'string',
      enum: ['auto', 'f32', 'f16', 'int8', 'int4'],
      default: 'auto',
      markdownDescription:
        'Form in which the weights of the base that completes are kept in memory: 4, 2, about 1.1 or about 0.6 bytes each. `auto` is f32 below 1e9 parameters and int8 from there. A run takes `base.precision` of its spec.',
      scope: 'machine-overridable',
      order: 4,
    },
    'cola.idleMinutes': {
      type: 'number',
      default: 15,
      minimum: 0.05,
      markdownDescription:
        'After so many minutes without use the engine ends and its memory is free. It starts again when it is needed.',
      scope: 'machine',
      order: 5,
    },
    'cola.interactiveLatency': {
      type: 'number',
      default: 45,
      minimum: 5,
      maximum: 60000,
      markdownDescription:
        'Milliseconds that a completion may wait for training, on the CPU. While you use completion, and a minute longer, a training step is cut into pieces of about this length; the numbers that come out are the same. Shorter pieces make training slower.',
      scope: 'machine',
      order: 6,
    },
    'cola.runs.outliveWindow': {
      type: 'boolean',
      default: false,
      markdownDescription:
        'A run that is started goes on when the window is closed, in a process of its own. The next window on the folder shows it and can stop it. Completion beside it is not waited for by its steps.',
      scope: 'machine',
      order: 6,
    },
  },
  contextKeys: ['cola.ready'],
  viewsWelcome: ['cola.runs', 'cola.models', 'cola.codes'].map((view) => ({
    view,
    contents: 'The server of CoLA Studio is starting, or is not running.\n[Show Status](command:cola.showStatus)',
    when: '!cola.ready',
  })),
} as const satisfies Contribution;
