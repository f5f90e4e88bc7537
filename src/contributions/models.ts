/** Models: which completes, where others come from, how good they are. */
import type { Contribution } from './contribution.ts';

const model = 'view == cola.models && viewItem =~ /^model\\b/';
const usable = 'view == cola.models && viewItem =~ /\\busable\\b/';
const base = 'view == cola.models && viewItem =~ /\\bbase\\b/';
const imported = 'view == cola.models && viewItem =~ /\\bimported\\b/';

export const models = {
  commands: {
    'cola.selectModel': { title: 'Select Model…' },
    'cola.useModel': { title: 'Use This Model', icon: '$(plug)', palette: false },
    'cola.importModel': { title: 'Import Model Folder…', icon: '$(folder-opened)' },
    'cola.loadModel': { title: 'Load Model' },
    'cola.forgetModel': { title: 'Remove from List', icon: '$(close)', palette: false },
    'cola.exportModel': { title: 'Export Model…' },
    'cola.serveModel': { title: 'Serve Model on This Machine…' },
    'cola.evaluate': { title: 'Evaluate…', icon: '$(beaker)' },
    'cola.trainModel': { title: 'Train This Model…', palette: false },
    'cola.revealModel': { title: 'Reveal Model in File Explorer', palette: false },
    'cola.refreshModels': { title: 'Refresh', icon: '$(refresh)', palette: false },
  },
  views: [
    { id: 'cola.models', name: 'Models', icon: '$(package)', contextualTitle: 'CoLA Models' },
    { id: 'cola.codes', name: 'Actions', icon: '$(symbol-color)', contextualTitle: 'CoLA Actions' },
  ],
  viewsWelcome: [
    {
      view: 'cola.models',
      contents: 'No model was found, not even the one in the box.\n[Import Model Folder](command:cola.importModel)',
      when: 'cola.ready',
    },
    {
      view: 'cola.codes',
      contents: 'The latent actions of the model show here once it is loaded.\n[Load Model](command:cola.loadModel)',
      when: 'cola.ready',
    },
  ],
  menus: {
    'view/title': [
      { command: 'cola.importModel', when: 'view == cola.models', group: 'navigation@1' },
      { command: 'cola.refreshModels', when: 'view == cola.models', group: 'navigation@9' },
    ],
    'view/item/context': [
      { command: 'cola.useModel', when: usable, group: 'inline@1' },
      { command: 'cola.useModel', when: usable, group: '1_use@1' },
      { command: 'cola.trainModel', when: base, group: 'inline@1' },
      { command: 'cola.trainModel', when: model, group: '1_use@2' },
      { command: 'cola.evaluate', when: model, group: '1_use@3' },
      { command: 'cola.exportModel', when: model, group: '2_files@1' },
      { command: 'cola.serveModel', when: model, group: '1_use@4' },
      { command: 'cola.revealModel', when: model, group: '2_files@2' },
      { command: 'cola.forgetModel', when: imported, group: '9_forget@1' },
    ],
  },
} as const satisfies Contribution;
