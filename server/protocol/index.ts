/** Everything that crosses a border between processes. */
export * from './actions.ts';
export * from './actions-page.ts';
export * from './commands.ts';
export * from './completion.ts';
export * from './down-sampling.ts';
export * from './envelope.ts';
export * from './history.ts';
export * from './hue.ts';
export * from './initialize.ts';
export * from './model.ts';
export * from './page.ts';
export * from './request.ts';
export * from './run-page.ts';
export * from './runs.ts';
export * from './search.ts';
export * from './stage-spans.ts';
export * from './status.ts';
