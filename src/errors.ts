/** What a person meets that has nothing to do with the server. */
import { catalogue } from '../server/protocol/errors.ts';
import { t } from './l10n.ts';

export const studioErrors = catalogue('studio', {
  noText: (folder: string) => [
    t('{folder} has no text to learn from that git does not ignore.', { folder }),
    t('Open a folder with your files, or choose a file.'),
  ],
  down: (why: string) => [
    t("CoLA Studio's server is not running ({why}).", { why }),
    t('Start it with "CoLA: Restart Server".'),
  ],
  noFolder: (what: string) => [
    t('{what} needs a folder, and none is open.', { what }),
    t('Open a folder and try again.'),
  ],
  untrusted: (what: string) => [
    t('{what} uses what is in this folder, and the folder is not trusted.', { what }),
    t('Trust it with "Workspaces: Manage Workspace Trust" if you know where it comes from.'),
  ],
  virtual: (what: string) => [
    t('{what} needs a folder on disk, and this one is not.', { what }),
    t('Open a local folder.'),
  ],
  noSpec: () => [
    t('No run spec is open.'),
    t('Open a file that ends with .cola.yaml, or write one with "CoLA: Train…".'),
  ],
  unsaved: (name: string) => [
    t('{name} is not saved, and a run reads it from the disk.', { name }),
    t('Save it and try again.'),
  ],
  noRun: (what: string) => [
    t('There is no run to {what}.', { what }),
    t('Start one with "CoLA: Train…" or "CoLA: Run Spec".'),
  ],
  noPlay: () => [t('This page plays no environment.'), t('Choose one with "CoLA: Play an Environment…".')],
  noPlayer: () => [t('There is no model that could take turns.'), t('Play with a model, and search then.')],
  noTags: () => [
    t('No run has a tag yet.'),
    t('Write one, such as #baseline, with "Note and Tags…" in the menu of a run.'),
  ],
  noCheckpoint: (run: string) => [
    t('{run} has no earlier checkpoint.', { run }),
    t('Put its files back as they were, or start it again with "CoLA: Run Spec".'),
  ],
  noEditor: () => [t('No editor is open.'), t('Open a text file and try again.')],
  noModelIn: (folder: string) => [
    t('There is no model in {folder}.', { folder }),
    t('Choose a Hugging Face folder with config.json, model.safetensors and tokenizer.json in it.'),
  ],
  noSelection: () => [t('Nothing is selected.'), t('Select the text to search from, or search from the cursor.')],
  noRow: (line: number, detail: string) => [
    t('Line {line} is no data row: {detail}.', { line, detail }),
    t('Put the cursor into a line of JSON with a prompt.'),
  ],
  variable: (name: string) => [
    t('The editor would not take {0} as it is: it replaces what is written in {1}.', JSON.stringify(name), '${'),
    t('Give the file or folder a name without "${".'),
  ],
  noPictures: () => [
    t('The models of CoLA Studio read text, and a picture was sent to one.'),
    t('Take the picture out of the chat, or describe it.'),
  ],
  noTuner: () => [t('Nothing here tunes from a path.'), t('Update CoLA Studio.')],
  exists: (path: string) => [t('{path} is there already.', { path }), t('Choose another name or another folder.')],
});
