/** Commands of the editor that code lenses of run specs call. */
export const specCommands = {
  /** The spec's uri. */
  run: 'cola.runSpec',
  /** The spec's uri, and the index of the stage. */
  runStage: 'cola.runStage',
  /** The spec's uri. */
  fit: 'cola.willItFit',
  /** Nothing. */
  docs: 'cola.specDocs',
  /** The run, `{ root, run }`. */
  resume: 'cola.resumeRun',
  /** The run, `{ root, run }`. */
  dashboard: 'cola.openDashboard',
} as const;
