/** Errors of the engine: models, runs and searches. */
import { catalogue } from '../errors.ts';

export const engineErrors = catalogue('engine', {
  untrusted: (what: string) => [
    `${what} uses what is in this folder, and the folder is not trusted.`,
    'Trust it with "Workspaces: Manage Workspace Trust" if you know where it comes from.',
  ],
  noModel: () => ['No model is loaded.', 'Choose one with "CoLA: Select Model…".'],
  unloaded: () => ['The model was unloaded while it was at work.', 'Ask again.'],
  runActive: (run: string) => [`The run ${run} is under way already.`, 'Stop it before you start it again.'],
  runNotActive: (run: string) => [`The run ${run} is not under way.`, 'Resume it first.'],
  noPlay: () => ['This episode is not open any more.', 'Press "Start again".'],
  playsOpen: (most: number) => [`${most} episodes are open already.`, 'Close the views of some of them.'],
  playFull: (most: number) => [
    `The conversation has as many tokens as the model reads at once (${most}).`,
    'Write the turn yourself, or start again in a smaller world.',
  ],
  noPlayer: (who: string) => [`There is no ${who} in this episode.`, 'Type the turn yourself.'],
  playOver: () => ['The episode is over.', 'Press "Start again", or take a turn back.'],
  noAlternative: () => ['That alternative is not there any more.', 'Ask for alternatives again.'],
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
});
