/** Training runs: start, pause, resume, stop, and what happens in them. */
import { z } from 'zod';
import { figure, nothing, notification, request } from './channel/request.ts';

export const runKey = z.strictObject({
  /** Folder whose `.cola/runs` holds the run. */
  root: z.string().min(1),
  /** A name, and never a path: the store says which names there can be. */
  run: z.string().regex(/^(?!\.)[^/\\:\0]{1,100}$/, 'it should be the name of a run, and not a path'),
});
export type RunKey = z.infer<typeof runKey>;

/** The key as one word, for maps and for what the editor tells apart. */
export const runId = ({ root, run }: RunKey): string => `${root}\0${run}`;

/** Starts the run of a spec. Answered once the run exists; what follows comes as {@link runEvent}. */
export const startRun = request(
  'cola/run/start',
  runKey.extend({
    /** The run spec; its paths are relative to it. */
    specFile: z.string().min(1),
    /** Do only this stage (index from 0) of the spec. */
    stage: z.int().nonnegative().optional(),
    /** Begin although more memory is needed than is free; without, such a run is refused with `train.tooLarge`. */
    anyway: z.boolean().optional(),
  }),
  nothing,
);
/** To the server: the name that the next run of a spec gets. */
export const nameRun = request(
  'cola/run/name',
  z.strictObject({ root: z.string().min(1), specFile: z.string().min(1) }),
  z.object({ run: z.string() }),
);
/**
 * Goes on with a run: one that is paused where it stands, any other from its latest checkpoint. One that is not what was
 * saved is refused with `store.damaged` or `train.changed`.
 */
export const resumeRun = request(
  'cola/run/resume',
  runKey.extend({
    /** Step of the checkpoint to go on from instead; later ones are deleted. */
    from: z.int().nonnegative().optional(),
    /** Go on although spec, model, data or logs are not what they were. */
    asIs: z.boolean().optional(),
  }),
  nothing,
);
/** Lets a run stand between two steps, in memory. */
export const pauseRun = request('cola/run/pause', runKey, nothing);
/** Saves a run and ends it. Answered when it is saved. */
export const stopRun = request('cola/run/stop', runKey, z.object({ step: z.int().nullable() }));

export const runState = z.enum(['running', 'paused', 'stopped', 'done', 'failed', 'resuming']);
export type RunState = z.infer<typeof runState>;

/** To the server: every run on disk, with the state of those that are under way. */
export const listRuns = request(
  'cola/run/list',
  z.strictObject({ roots: z.array(z.string().min(1)) }),
  z.object({
    runs: z.array(
      z.object({
        ...runKey.shape,
        path: z.string(),
        state: runState,
        checkpoint: z.int().nullable(),
        done: z.boolean(),
        /** Where the latest checkpoint stands: index of the stage, steps of it that are done. */
        stage: z.object({ index: z.int(), count: z.int(), name: z.string(), step: z.int() }).nullable(),
        /** Best held-out score of that stage, with what it is: `reward`, `loss` and so on. */
        best: z.object({ name: z.string(), value: z.number() }).nullable(),
        /** When something was last written, in milliseconds since 1970. */
        updated: z.number(),
        /** Whether another process writes to it: another window, or the command line. */
        elsewhere: z.boolean(),
        /** Of one that is stopped: whether nobody asked for it, so that its engine was closed or killed. */
        interrupted: z.boolean(),
        /** What the person wrote about it, with `#tags` in it; empty where that is nothing. */
        note: z.string(),
      }),
    ),
  }),
);
/** Writes a run as one page that needs no network, in a file that the person named. */
export const reportRun = request('cola/run/report', runKey.extend({ file: z.string().min(1) }), nothing);
/** Writes a note to a run; an empty one takes it away. */
export const noteRun = request('cola/run/note', runKey.extend({ note: z.string().max(2000) }), nothing);
export type ListedRun = z.output<typeof listRuns.result>['runs'][number];

const metrics = z.record(z.string(), z.union([figure, z.array(figure)]));
/** A turn of an episode in an environment. */
export const sampleTurn = z.object({
  said: z.string(),
  /** What the environment answered; null where it did not. */
  observation: z.string().nullable(),
  reward: figure,
  /** Latent actions by its end, those of earlier turns included; 0 where there are none. */
  end: z.int().nonnegative(),
});
export const sample = z.object({
  prompt: z.string(),
  completion: z.string(),
  actions: z.array(z.int()),
  /** Tokens of the completion, the end included. */
  tokens: z.int().optional(),
  reward: figure.optional(),
  parts: z.record(z.string(), figure).optional(),
  noScore: z.string().optional(),
  /** Of several turns each of them, and why nothing followed. */
  turns: z.array(sampleTurn).max(10_000).optional(),
  ended: z.enum(['done', 'turns', 'tokens', 'failed']).optional(),
});

export const trainEvent = z.discriminatedUnion('kind', [
  z.object({
    kind: z.literal('device'),
    device: z.string(),
    attempts: z.array(z.object({ name: z.string(), reason: z.string().optional() })),
  }),
  z.object({ kind: z.literal('message'), text: z.string() }),
  z.object({
    kind: z.literal('stage'),
    index: z.int(),
    count: z.int(),
    name: z.string(),
    steps: z.int(),
    from: z.int(),
    /** Number of the stage's step 0 in the run's files. */
    before: z.int(),
  }),
  z.object({
    kind: z.literal('step'),
    stage: z.string(),
    step: z.int(),
    steps: z.int(),
    seconds: z.number(),
    metrics,
  }),
  z.object({
    kind: z.literal('evaluation'),
    stage: z.string(),
    step: z.int(),
    metrics,
    best: z.boolean(),
    /** How long it took. */
    seconds: z.number(),
  }),
  z.object({ kind: z.literal('samples'), stage: z.string(), step: z.int(), samples: z.array(sample) }),
  z.object({ kind: z.literal('checkpoint'), step: z.int(), stage: z.string() }),
  z.object({ kind: z.literal('done'), model: z.string() }),
  /** The run is in another state; `message` says why where it is not plain. */
  z.object({
    kind: z.literal('state'),
    state: runState,
    message: z.string().optional(),
    remedy: z.string().optional(),
  }),
]);
export type WireTrainEvent = z.infer<typeof trainEvent>;

export const runEvent = notification('cola/run/event', runKey.extend({ event: trainEvent }));
export type RunEvent = z.infer<typeof runEvent.params>;

/** All settings of run specs, as Markdown. */
export const specDocs = request('cola/spec/docs', z.strictObject({}), z.object({ markdown: z.string() }));

/** Bytes each part of a spec takes, and whether they are free. */
export const fitSpec = request(
  'cola/spec/fit',
  z.strictObject({ specFile: z.string().min(1) }),
  z.object({
    parts: z.array(z.object({ what: z.string(), bytes: z.number() })),
    /** Null where the free memory of the device is not known. */
    free: z.number().nullable(),
    fits: z.boolean().nullable(),
    /** Where the free memory comes from, or why it is not known. */
    source: z.string(),
  }),
);

const timeSpan = z.object({ low: z.number().nonnegative(), high: z.number().nonnegative() });

/**
 * How long the run of a spec is going to take, in seconds, without the measures at its end: from what runs of the same
 * sizes took here, or from a trial of its first steps. Null where neither is known.
 */
export const timeSpec = request(
  'cola/spec/time',
  z.strictObject({
    root: z.string().min(1),
    specFile: z.string().min(1),
    /** Take the first steps now, where nothing is known yet. */
    trial: z.boolean(),
  }),
  z.object({
    time: timeSpan
      .extend({
        stages: z.array(timeSpan.extend({ name: z.string() })),
        source: z.enum(['trial', 'runs']),
      })
      .nullable(),
  }),
);
export type SpecTime = NonNullable<z.output<typeof timeSpec.result>['time']>;
