/** What the status bar says. Knows nothing of the editor. */
import type { RunState, Status } from '../server/protocol/index.ts';
import type { PolicyState } from './feedback/tuning.ts';
import { t } from './l10n.ts';
import { arrows, directionOf, type RunProgress, shownMeasure } from './runs/run-progress.ts';

export type Connection = 'starting' | 'up' | 'down';

export interface Health {
  readonly connection: Connection;
  /** Why there is no server. */
  readonly why: string | null;
  readonly status: Status | undefined;
  /** The run under way that is shown, and how many others there are. */
  readonly run: { readonly name: string; readonly progress: RunProgress } | undefined;
  readonly others: number;
  /** The model of the settings, for when none is loaded yet. */
  readonly model: string;
  /** The policy that completes: the model's own, or a version of it. */
  readonly policy: PolicyState;
  readonly lastEvent: string | null;
}

export interface StatusText {
  readonly text: string;
  /** Read by screen readers. */
  readonly label: string;
  readonly severity: 'ok' | 'warning' | 'error';
}

/** The last part of a folder, or of `builtin:nano`. A run's model has the name of the run. */
export function modelName(model: string): string {
  const parts = model.split(/[\\/]/).filter((part) => part !== '');
  const last = (parts.at(-1) ?? model).replace(/^builtin:/, '');
  const made = last === 'model' || last === 'best';
  const run = parts.at(-2);
  return made && run !== undefined && parts.at(-3) === 'runs' ? (last === 'best' ? `${run} (best)` : run) : last;
}

export const gigabytes = (bytes: number): string => `${(bytes / 1e9).toFixed(bytes < 1e8 ? 2 : 1)} GB`;

/** A number as a person reads it in passing. */
export const figure = (value: number): string =>
  Number.isInteger(value) && Math.abs(value) < 1e6 ? String(value) : Number(value.toPrecision(3)).toString();

const stateWords: Readonly<Record<RunState, string>> = {
  running: t('running'),
  paused: t('paused'),
  stopped: t('stopped'),
  done: t('finished'),
  failed: t('failed'),
  resuming: t('being resumed'),
};
export const stateWord = (state: RunState): string => stateWords[state];

/** `step 120/400 · reward 0.42 ↑` */
export function progressText({ state, step, steps, values, measure, stage }: RunProgress): string {
  const last = values.at(-1);
  const trend = directionOf(values);
  const value =
    measure === null || last === undefined
      ? []
      : [`${shownMeasure(measure, values)} ${figure(last)}${trend === null ? '' : ` ${arrows[trend]}`}`];
  const at = steps > 0 ? [t('step {step}/{steps}', { step, steps })] : [stage === null ? t('preparing') : stage];
  // What comes behind the last step takes a while: it is measured, and the model is saved.
  const ending = state === 'running' && steps > 0 && step >= steps ? [t('finishing')] : [];
  return [...(state === 'running' ? [] : [stateWord(state)]), ...at, ...value, ...ending].join(' · ');
}

export function statusText(health: Health): StatusText {
  const { connection, why, status, run, others } = health;
  const name = modelName(status?.model ?? health.model);
  const said = (icon: string, text: string, severity: StatusText['severity'] = 'ok'): StatusText => ({
    text: `$(${icon}) ${text}`,
    label: `CoLA Studio: ${text}`,
    severity,
  });
  if (connection === 'starting') return said('loading~spin', t('CoLA is starting'));
  if (connection === 'down') return said('error', `CoLA: ${short(why ?? t('the server stopped'))}`, 'error');
  if (status?.engine === 'failed') return said('error', `CoLA: ${short(status.message)}`, 'error');
  if (status?.engine === 'restarting') return said('sync~spin', t('CoLA: engine restarts'), 'warning');
  if (status?.loading != null) return said('loading~spin', t('loading {0}…', modelName(status.loading)));
  if (run !== undefined) {
    const more = others > 0 ? ` · +${others}` : '';
    const icon = run.progress.state === 'paused' ? 'debug-pause' : 'pulse';
    // What completes, and what trains.
    return said(icon, `${name} · ${run.name}: ${progressText(run.progress)}${more}`);
  }
  if (status?.health === 'warning' || status?.health === 'error')
    return said('warning', `CoLA: ${short(status.message)}`, status.health);
  const device = status?.device ?? null;
  if (status?.lane === 'search') return said('search', `${name} · ${t('searching')}`);
  return said('pulse', device === null ? `${name} · ${t('idle')}` : `${name} · ${device}`);
}

/** The status bar has little room; the whole sentence is in the tooltip. */
function short(sentence: string): string {
  const text = sentence.replace(/\.$/, '');
  return text.length > 60 ? `${text.slice(0, 59)}…` : text;
}

const laneWords = { interactive: t('completion'), search: t('search'), train: t('training') } as const;

/** Lines of the tooltip, as Markdown. */
export function statusDetails(health: Health): string[] {
  const { connection, why, status, run, lastEvent, model, policy } = health;
  if (connection !== 'up')
    return [
      connection === 'down'
        ? t('The server is not running: {0}.', why ?? t('it stopped'))
        : t('The server is starting.'),
    ];
  const lines: string[] = [];
  if (status !== undefined && status.message !== '') lines.push(status.message);
  const loaded = status?.model ?? null;
  lines.push(
    loaded === null ? t('Model: {0}, loaded when it is needed', modelName(model)) : t('Model: {0}', modelName(loaded)),
  );
  if (policy.version !== 'original') lines.push(t('Policy: {0}', policyText(policy)));
  const device = status?.device ?? run?.progress.device ?? null;
  const attempts = status?.device != null ? status.attempts : (run?.progress.attempts ?? []);
  if (device !== null) lines.push(t('Device: {0}{1}', device, whyDevice(attempts)));
  if (status !== undefined && status.memory > 0) lines.push(t('Memory of the engine: {0}', gigabytes(status.memory)));
  if (status?.tokensPerSecond != null)
    lines.push(t('Last completion: {0} tokens/s', Math.round(status.tokensPerSecond)));
  const lane = status?.lane ?? null;
  lines.push(
    t(
      'Now: {0}',
      lane === null
        ? status?.engine === 'off'
          ? t('the engine is off until it is needed')
          : t('nothing to do')
        : laneWords[lane],
    ),
  );
  if (run !== undefined) {
    const { index, count, stage } = run.progress;
    const part = stage === null ? '' : t(', stage {0} of {1} ({2})', index + 1, count, stage);
    lines.push(t('Run {0}{1}: {2}', run.name, part, progressText(run.progress)));
  }
  if (lastEvent !== null) lines.push(t('Last: {lastEvent}', { lastEvent }));
  return lines;
}

function policyText({ version, acceptance, pinned }: PolicyState): string {
  const accepted = acceptance === null ? [] : [t('{0} % accepted of what was held back', Math.round(100 * acceptance))];
  return [version, ...accepted, ...(pinned ? [t('pinned')] : [])].join(', ');
}

/** Why this device: what was tried before it did not work. */
export function whyDevice(
  attempts: readonly { readonly name: string; readonly reason?: string | undefined }[],
): string {
  const refused = attempts.filter(({ reason }) => reason !== undefined);
  if (refused.length === 0) return attempts.length > 1 ? t(', the fastest that works') : '';
  const reasons = refused.map(({ name, reason }) => `${name}: ${firstSentence(reason ?? '')}`);
  return t(' (not {0})', reasons.join('; '));
}

const firstSentence = (text: string): string => text.split('\n')[0].replace(/\.$/, '').slice(0, 120);
