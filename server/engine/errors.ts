/** Errors of the engine and of those who ask it. */
import { catalogue } from '../errors.ts';

export const engineErrors = catalogue('engine', {
  noModel: () => ['No model is loaded.', 'Choose one with "CoLA: Select Model…".'],
  noTokenizer: (folder: string) => [
    `The model in ${folder} has no tokenizer, so it cannot read text.`,
    'Put tokenizer.json and tokenizer_config.json beside its weights.',
  ],
  noInverse: (folder: string) => [
    `The model in ${folder} has no inverse dynamics, so it cannot say which action a token came from.`,
    'Ask the policy instead, or take the model of a run that had the stage "control".',
  ],
  tooNarrow: (tokens: number, context: number) => [
    `A completion of ${tokens} tokens does not fit into the model's context of ${context}.`,
    'Ask for a shorter completion.',
  ],
  unloaded: () => ['The model was unloaded while it was at work.', 'Ask again.'],
  runActive: (run: string) => [`The run ${run} is under way already.`, 'Stop it before you start it again.'],
  runNotActive: (run: string) => [`The run ${run} is not under way.`, 'Resume it first.'],
  noStage: (stage: number, count: number) => [
    `The spec has no stage ${stage + 1}; it has ${count}.`,
    'Run a stage that is there.',
  ],
  noSearch: (file: string) => [`There is no search at ${file}.`, 'It was deleted, or belongs to another folder.'],
  searchExists: (search: string) => [`There is a search ${search} already.`, 'Choose another name.'],
  searchFile: (file: string, detail: string) => [
    `${file} is not a saved search: ${detail}.`,
    'The file was changed or damaged; start the search again.',
  ],
  stopped: (why: string) => [`The engine stopped (${why}).`, 'It is started again; ask once more.'],
  gaveUp: (times: number, why: string) => [
    `The engine stopped ${times} times in a row before it had done anything (${why}).`,
    'Look at the log, then run "CoLA: Restart Server". Another device, "cpu" for one, may work.',
  ],
  abandoned: (what: string, times: number, why: string) => [
    `${what} stopped the engine ${times} times in a row (${why}) and is left alone now.`,
    'What is saved is safe. Try a smaller batch, a smaller model or another device, and start it again.',
  ],
  closed: () => ['CoLA Studio is shutting down.', 'Reload the window to start it again.'],
});
