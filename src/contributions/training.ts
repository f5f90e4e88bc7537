/** Runs: how they are written, started, steered and looked at. */
import type { Contribution } from './contribution.ts';

const spec = 'resourceFilename =~ /\\.cola\\.ya?ml$/';
const run = 'view == cola.runs && viewItem =~ /^run\\b/';
const running = 'view == cola.runs && viewItem =~ /\\brunning\\b/';
const paused = 'view == cola.runs && viewItem =~ /\\bpaused\\b/';
const resumable = 'view == cola.runs && viewItem =~ /\\bresumable\\b/';
const finished = 'view == cola.runs && viewItem =~ /\\bfinished\\b/';

export const training = {
  commands: {
    'cola.train': { title: 'Train…', icon: '$(add)' },
    'cola.runSpec': { title: 'Run Spec', icon: '$(play)' },
    'cola.runStage': { title: 'Run Stage…' },
    'cola.pauseRun': { title: 'Pause Run', icon: '$(debug-pause)', palette: 'cola.training' },
    'cola.resumeRun': { title: 'Resume Run…', icon: '$(debug-continue)' },
    'cola.stopRun': { title: 'Stop Run', icon: '$(debug-stop)', palette: 'cola.training' },
    'cola.willItFit': { title: 'Will It Fit' },
    'cola.specDocs': { title: 'Docs of Run Specs', icon: '$(book)' },
    'cola.refreshRuns': { title: 'Refresh', icon: '$(refresh)', palette: false },
    'cola.filterRuns': { title: 'Filter Runs…', icon: '$(filter)' },
    'cola.showAllRuns': { title: 'Show All Runs', icon: '$(filter-filled)', palette: 'cola.runsFiltered' },
    'cola.noteRun': { title: 'Note and Tags…', icon: '$(note)', palette: false },
    'cola.exportReport': { title: 'Export Report…', icon: '$(export)' },
    'cola.revealRun': { title: 'Reveal Run in File Explorer', palette: false },
    'cola.deleteRun': { title: 'Delete Run…', icon: '$(trash)', palette: false },
    'cola.openRunDashboard': { title: 'Open Dashboard', icon: '$(graph)', palette: false },
    'cola.openRunSpec': { title: 'Open Spec of Run', palette: false },
    'cola.openSearch': { title: 'Open Search', palette: false },
    'cola.deleteSearch': { title: 'Delete Search…', icon: '$(trash)', palette: false },
  },
  contextKeys: ['cola.training', 'cola.runsFiltered'],
  views: [
    { id: 'cola.runs', name: 'Runs', icon: '$(graph)', contextualTitle: 'CoLA Runs' },
    { id: 'cola.searches', name: 'Searches', icon: '$(list-tree)', contextualTitle: 'CoLA Searches' },
  ],
  viewsWelcome: [
    {
      view: 'cola.runs',
      contents:
        'No model has been tuned here yet. Say what to improve, and a commented run spec is written for you.\n[Train…](command:cola.train)\n[First Five Minutes](command:cola.openWalkthrough)',
      when: 'cola.ready && workspaceFolderCount != 0',
    },
    {
      view: 'cola.runs',
      contents:
        'Runs are kept in a folder, and none is open.\n[Open Folder](command:workbench.action.files.openFolder)',
      when: 'cola.ready && workspaceFolderCount == 0',
    },
    {
      view: 'cola.searches',
      contents:
        'A search grows a tree of continuations over latent actions and keeps it here.\n[Open Tree](command:cola.openTree)',
    },
  ],
  other: {
    taskDefinitions: [
      {
        type: 'cola',
        required: ['task'],
        properties: {
          task: { type: 'string', enum: ['train'], description: 'What to do: train by a run spec.' },
          spec: { type: 'string', description: 'Path of the run spec, from the folder.' },
        },
      },
    ],
    problemMatchers: [
      {
        name: 'cola',
        owner: 'cola',
        fileLocation: 'absolute',
        pattern: {
          regexp: '^(.+\\.ya?ml):(\\d+):(\\d+): (.+)$',
          file: 1,
          line: 2,
          column: 3,
          message: 4,
        },
      },
    ],
  },
  menus: {
    'view/title': [
      { command: 'cola.train', when: 'view == cola.runs', group: 'navigation@1' },
      { command: 'cola.filterRuns', when: 'view == cola.runs && !cola.runsFiltered', group: 'navigation@2' },
      { command: 'cola.showAllRuns', when: 'view == cola.runs && cola.runsFiltered', group: 'navigation@2' },
      { command: 'cola.refreshRuns', when: 'view == cola.runs', group: 'navigation@9' },
    ],
    'view/item/context': [
      { command: 'cola.resumeRun', when: paused, group: 'inline@1' },
      { command: 'cola.resumeRun', when: resumable, group: 'inline@1' },
      { command: 'cola.pauseRun', when: running, group: 'inline@1' },
      { command: 'cola.openRunDashboard', when: run, group: 'inline@2' },
      { command: 'cola.resumeRun', when: paused, group: '1_steer@1' },
      { command: 'cola.resumeRun', when: resumable, group: '1_steer@1' },
      { command: 'cola.pauseRun', when: running, group: '1_steer@2' },
      { command: 'cola.stopRun', when: running, group: '1_steer@3' },
      { command: 'cola.stopRun', when: paused, group: '1_steer@3' },
      { command: 'cola.openRunDashboard', when: run, group: '2_look@1' },
      { command: 'cola.openRunSpec', when: run, group: '2_look@2' },
      { command: 'cola.noteRun', when: run, group: '2_look@3' },
      { command: 'cola.exportReport', when: run, group: '2_look@4' },
      { command: 'cola.revealRun', when: run, group: '2_look@5' },
      { command: 'cola.useModel', when: finished, group: '3_model@1' },
      { command: 'cola.compareBeforeAfter', when: finished, group: '3_model@2' },
      { command: 'cola.evaluate', when: finished, group: '3_model@3' },
      { command: 'cola.exportModel', when: finished, group: '3_model@4' },
      { command: 'cola.deleteRun', when: run, group: '9_delete@1' },
      { command: 'cola.deleteSearch', when: 'view == cola.searches && viewItem == search', group: 'inline@1' },
      { command: 'cola.deleteSearch', when: 'view == cola.searches && viewItem == search', group: '9_delete@1' },
    ],
    'editor/title/run': [{ command: 'cola.runSpec', when: spec, group: 'navigation@1' }],
    'explorer/context': [{ command: 'cola.runSpec', when: spec, group: '2_cola@1' }],
  },
} as const satisfies Contribution;
