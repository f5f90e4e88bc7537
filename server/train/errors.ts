import { catalogue } from '../errors.ts';

export const trainErrors = catalogue('train', {
  diverged: (update: number, loss: number, norm: number) => [
    `Training diverged at update ${update}: the loss is ${loss}, the norm of the gradients ${norm}.`,
    'The weights are as they were before this update. Resume from the last checkpoint with a lower learning rate.',
  ],
  tooLarge: (what: string, bytes: number, free: number, source: string) => [
    `There is not enough memory for this run: "${what}" takes about ${gigabytes(bytes)}, and ${gigabytes(free)} are left (${source}).`,
    'Use a smaller batch or shorter sequences; `cola fit` says what each part takes. To try it all the same: cola train with --anyway.',
  ],
  noDisk: (folder: string, bytes: number, needed: number, free: number) => [
    `The hidden states that "cache_states" keeps in ${folder} take ${gigabytes(bytes)} on the disk: ${gigabytes(needed)} more, and ${gigabytes(free)} are left.`,
    'Free some room, learn from fewer tokens, or write "cache_states: false" in the run spec: then the base reads the rows in every epoch.',
  ],
  onePiece: (run: string) => [
    `The run ${run} was begun in one piece, so that workers cannot go on with it.`,
    `Go on without them: cola train --resume ${run}. To train with workers, start the spec anew with --cluster.`,
  ],
  notInShards: (stage: string, reason = 'nothing says what a worker would do of it') => [
    `The stage ${stage} cannot be cut into shards, and the spec asks for workers ("cluster"): ${reason}.`,
    'Run it in a spec of its own without "cluster".',
  ],
  stopped: (run: string, step: number) => [
    `The run ${run} was stopped and is saved at step ${step}.`,
    `Continue it with: cola train --resume ${run}`,
  ],
  needs: (stage: string, what: string) => [
    `The stage ${stage} needs ${what}.`,
    'Put a stage that makes it before this one, or start from a model that has it.',
  ],
  setting: (stage: string, name: string, detail: string) => [
    `The stage ${stage} cannot use the setting ${name}: ${detail}.`,
    'Change it in the run spec.',
  ],
  otherAdapter: (folder: string) => [
    `The model in ${folder} has an adapter (LoRA) already, which is not the one that "lora" describes.`,
    `Give "lora" the rank, alpha and targets that its adapter_config.json names, to train it on; or merge it first, with cola export ${folder} merged --merge, and begin from the folder "merged".`,
  ],
  noTokenizer: (folder: string) => [
    `The model in ${folder} has no tokenizer, so there is nothing to train on.`,
    'Put tokenizer.json and tokenizer_config.json beside the weights.',
  ],
  tooFewRows: (data: string, rows: number, need: number) => [
    `${data} has ${rows === 1 ? 'one row' : `${rows} rows`} where at least ${need} are needed, one of them to measure on.`,
    'Add rows, or name other rows to measure on with "held_out".',
  ],
  tooFewTokens: (data: string, tokens: number, need: number) => [
    `${data} has ${tokens} tokens, and at least ${need} are needed for sequences to learn from and to measure on.`,
    'Add data, or lower "length" or "batch" in the run spec.',
  ],
  noResponses: (data: string, have: readonly string[]) => [
    `${data} has no row with a response to learn; its rows have the columns ${have.join(', ') || 'prompt'}.`,
    'Name the column that holds it, for example "columns: { prompt: question, response: reply }". For rewards, use the stage reinforce.',
  ],
  noPairs: (data: string, left: string) => [
    `${data} has no pair of a chosen and a rejected answer to learn from; rows that were left out: ${left}.`,
    'Name the columns that hold them, for example "columns: { prompt: question, response: better, rejected: worse }", or raise "max_length". To learn from scores, write "loss: scores".',
  ],
  noScores: (data: string, column: string, left: string, have: readonly string[]) => [
    `${data} has no row with a number in the column "${column}" to learn from; rows that were left out: ${left}. Their other columns are ${have.join(', ') || 'none'}.`,
    'Name the column that holds the score with "score", or raise "max_length". To learn from preferences, write "loss: pairs".',
  ],
  promptTooLong: (place: string | undefined, text: string, tokens: number, longest: number) => [
    `${place === undefined ? 'The' : `${place}: the`} prompt ${JSON.stringify(`${text}…`)} has ${tokens} tokens; with room for the answer it may have ${longest}.`,
    'Shorten the prompts, lower "max_new", or leave such rows out with "skip_bad_rows: true".',
  ],
  startTooLong: (environment: string, tokens: number, longest: number) => [
    `What ${environment} begins an episode with has ${tokens} tokens; with room for the answer the model may read ${longest}.`,
    'Take a model with a longer context, or shorter answers ("max_new" in a run spec, --max-new of a command).',
  ],
  tooLong: (length: number, context: number) => [
    `Sequences of ${length} tokens are longer than the model's context of ${context}.`,
    'Lower "length" (or "max_length" and "max_new") in the run spec.',
  ],
  changed: (run: string, step: number, what: readonly string[], before: number | null) => [
    `The run ${run} cannot go on as it was: since its checkpoint of step ${step} these were changed or lost: ${what.join(', ')}.`,
    `Put them back as they were${before === null ? '' : `, or go on from a checkpoint that fits them: cola train --resume ${run} --from ${before}`}. To go on with them as they are now: cola train --resume ${run} --as-is`,
  ],
  modelDamaged: (folder: string, damage: readonly string[]) => [
    `The model in ${folder} is not what was saved there: ${damage.join(', ')}.`,
    'Put the files back, or delete manifest.json there to use the model as it is now.',
  ],
  nothingScored: (samples: number, reason: string) => [
    `The reward gave none of the ${samples === 1 ? 'one sample' : `${samples} samples`} of this round a score. The most frequent reason: ${reason}.`,
    'Nothing can be learned without scores. Mend the reward in the run spec or the rows it reads, then start the run again.',
  ],
  keptData: (path: string, cause: unknown) => [
    `The data that the run keeps in ${path} is damaged.`,
    'Delete that file and go on with the data as it is now, cola train --resume with --as-is, or start the run again.',
    cause,
  ],
  checkpointMismatch: (name: string) => [
    `The checkpoint does not fit this run: "${name}" is missing or has another shape.`,
    'Resume with the model and the spec the run was started with, or start a new run.',
  ],
});

const gigabytes = (bytes: number) =>
  bytes < 1e8 ? `${(bytes / 1e6).toFixed(1)} MB` : `${(bytes / 1e9).toFixed(2)} GB`;
