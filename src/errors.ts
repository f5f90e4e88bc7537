/** What a person meets that has nothing to do with the server. */
import { catalogue } from '../server/protocol/errors.ts';

export const studioErrors = catalogue('studio', {
  noText: (folder: string) => [
    `${folder} has no text to learn from that git does not ignore.`,
    'Open a folder with your files, or choose a file.',
  ],
  down: (why: string) => [`CoLA Studio's server is not running (${why}).`, 'Start it with "CoLA: Restart Server".'],
  noFolder: (what: string) => [`${what} needs a folder, and none is open.`, 'Open a folder and try again.'],
  untrusted: (what: string) => [
    `${what} uses what is in this folder, and the folder is not trusted.`,
    'Trust it with "Workspaces: Manage Workspace Trust" if you know where it comes from.',
  ],
  virtual: (what: string) => [`${what} needs a folder on disk, and this one is not.`, 'Open a local folder.'],
  noSpec: () => ['No run spec is open.', 'Open a file that ends with .cola.yaml, or write one with "CoLA: Train…".'],
  unsaved: (name: string) => [`${name} is not saved, and a run reads it from the disk.`, 'Save it and try again.'],
  noRun: (what: string) => [`There is no run to ${what}.`, 'Start one with "CoLA: Train…" or "CoLA: Run Spec".'],
  noCheckpoint: (run: string) => [
    `${run} has no earlier checkpoint.`,
    'Put its files back as they were, or start it again with "CoLA: Run Spec".',
  ],
  noEditor: () => ['No editor is open.', 'Open a text file and try again.'],
  noModelIn: (folder: string) => [
    `There is no model in ${folder}.`,
    'Choose a Hugging Face folder with config.json, model.safetensors and tokenizer.json in it.',
  ],
  noSelection: () => ['Nothing is selected.', 'Select the text to search from, or search from the cursor.'],
  noRow: (line: number, detail: string) => [
    `Line ${line} is no data row: ${detail}.`,
    'Put the cursor into a line of JSON with a prompt.',
  ],
  variable: (name: string) => [
    `The editor would not take ${JSON.stringify(name)} as it is: it replaces what is written in ${'${'}.`,
    'Give the file or folder a name without "${".',
  ],
  noPictures: () => [
    'The models of CoLA Studio read text, and a picture was sent to one.',
    'Take the picture out of the chat, or describe it.',
  ],
  noTuner: () => ['Nothing here tunes from a path.', 'Update CoLA Studio.'],
  exists: (path: string) => [`${path} is there already.`, 'Choose another name or another folder.'],
});
