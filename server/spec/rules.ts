/** What must hold between settings, beyond what each of them may be. */
import type { AdapterChoice } from '../protocol/adapter.ts';
import type { Path } from '../schemas/issues.ts';
import type { RunSpec, StageSpec } from './schema.ts';
import { stageOf } from './stages.ts';

export interface BrokenRule {
  /** The value that is wrong; with `missing` the object that lacks something. */
  readonly path: Path;
  readonly missing?: boolean;
  readonly message: string;
}

/** Rules that the spec breaks. Its settings are each valid already. */
export function brokenRules(spec: RunSpec): BrokenRule[] {
  return [
    ...modelRules(spec),
    ...baseRules(spec),
    ...adapterRules(spec),
    ...lastRules(spec),
    ...spec.stages.flatMap((stage, i) => stageRules(stage, ['stages', i, stage.name])),
  ];
}

function modelRules({ model, stages }: RunSpec): BrokenRule[] {
  if (typeof model === 'string') return [];
  const broken: BrokenRule[] = [];
  const { hidden, heads, kv_heads: kvHeads } = model;
  if (hidden % heads !== 0) {
    broken.push({ path: ['model', 'heads'], message: `"heads" (${heads}) should divide "hidden" (${hidden})` });
  } else if ((hidden / heads) % 2 !== 0) {
    broken.push({ path: ['model', 'heads'], message: `"hidden" / "heads" should be even and is ${hidden / heads}` });
  }
  if (kvHeads !== undefined && heads % kvHeads !== 0) {
    broken.push({ path: ['model', 'kv_heads'], message: `"kv_heads" (${kvHeads}) should divide "heads" (${heads})` });
  }
  if (stages[0].name !== 'pretrain') {
    const message = `A new model knows nothing: its first stage should be pretrain and is ${stages[0].name}`;
    broken.push({ path: ['stages', 0, stages[0].name], missing: true, message });
  }
  return broken;
}

const changesBase = (stage: StageSpec) => stageOf(stage).trainsBase?.(stage.settings) === true;

/** A run has one adapter, and the base beside it stays as it is. */
function adapterRules({ stages }: RunSpec): BrokenRule[] {
  const adapted = stages.flatMap((stage, i) => {
    const lora = stageOf(stage).lora?.(stage.settings);
    return lora === undefined ? [] : [{ lora, stage, path: ['stages', i, stage.name] as const }];
  });
  const [first, ...others] = adapted;
  if (first === undefined) return [];
  const broken: BrokenRule[] = [];
  const training = stages.findIndex(changesBase);
  if (training >= 0) {
    const { name } = stages[training];
    const message = `The stage ${name} trains the base itself, and the stage ${first.stage.name} an adapter beside a frozen one: give "${name}" a "lora" too where it can have one, or put it into a spec of its own`;
    broken.push({ path: ['stages', training, name], missing: true, message });
  }
  const text = ({ rank, alpha, targets }: AdapterChoice) => [rank, alpha, ...[...new Set(targets)].sort()].join();
  for (const { lora, path } of others)
    if (text(lora) !== text(first.lora))
      broken.push({
        path: [...path, 'lora'],
        message: `A run has one adapter: "lora" should be the same as in the stage ${first.stage.name}`,
      });
  for (const { stage, path } of adapted)
    if ('blocks' in stage.settings && stage.settings.blocks !== undefined)
      broken.push({
        path: [...path, 'blocks'],
        message:
          '"blocks" says what is trained of the base, which stays as it is with "lora": leave out one of the two',
      });
  return broken;
}

/** What is kept in fewer bits cannot be trained: a step is far smaller than the distance of two of its numbers. */
function baseRules({ base, stages }: RunSpec): BrokenRule[] {
  const { precision } = base;
  if (precision === 'auto' || precision === 'f32') return [];
  const training = stages.find(changesBase);
  if (training === undefined) return [];
  const message = `The stage ${training.name} trains the base, whose weights are f32 then: "precision" should be f32 or auto and is ${precision}`;
  return [{ path: ['base', 'precision'], message }];
}

/** What makes something else than a language model stands at the end, and is measured by itself. */
function lastRules({ stages, evaluate }: RunSpec): BrokenRule[] {
  const at = stages.findIndex((stage) => stageOf(stage).makes !== undefined);
  if (at < 0) return [];
  const { name } = stages[at];
  const made = `The stage ${name} makes ${stageOf(stages[at]).makes}`;
  if (at < stages.length - 1) {
    const message = `${made}, so no stage can follow: "${name}" should be the last of its spec`;
    return [{ path: ['stages', at + 1, stages[at + 1].name], missing: true, message }];
  }
  if (evaluate.length === 0) return [];
  const message = `${made}, which measures itself on held-out rows: "evaluate" should be left out`;
  return [{ path: ['evaluate'], message }];
}

function stageRules(stage: StageSpec, path: Path): BrokenRule[] {
  const broken: BrokenRule[] = [];
  const { settings } = stage;
  const compares = stage.name === 'reinforce' || (stage.name === 'tokens' && stage.settings.method === 'reinforce');
  if (compares && stage.settings.algorithm === 'grpo' && stage.settings.group < 2) {
    const message = 'GRPO compares the samples of a prompt with each other: "group" should be 2 or more';
    broken.push({ path: [...path, 'group'], message });
  }
  if ('accumulate' in settings && settings.batch % settings.accumulate !== 0) {
    const message = `"accumulate" (${settings.accumulate}) should divide "batch" (${settings.batch})`;
    broken.push({ path: [...path, 'accumulate'], message });
  }
  for (const { key, when } of stageOf(stage).missing?.(settings) ?? [])
    broken.push({ path, missing: true, message: `"${key}" is missing, which ${when} needs` });
  return broken;
}
