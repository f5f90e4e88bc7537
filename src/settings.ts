/** Settings with the types of their declarations. */
import { type ConfigurationScope, workspace } from 'vscode';
import type { PrecisionChoice } from '../server/protocol/index.ts';
import type { SettingName } from './contributions/index.ts';

interface Values {
  'cola.model': string;
  'cola.device': string;
  'cola.threads': number;
  'cola.precision': PrecisionChoice;
  'cola.idleMinutes': number;
  'cola.interactiveLatency': number;
  'cola.runs.outliveWindow': boolean;
  'cola.completion.languages': Readonly<Record<string, boolean>>;
  'cola.completion.alternatives': number;
  'cola.completion.maxTokens': number;
  'cola.completion.multiline': boolean;
  'cola.completion.fillInTheMiddle': boolean;
  'cola.completion.otherFiles': boolean;
  'cola.completion.debounce': number;
  'cola.completion.actionStrip': boolean;
  'cola.feedback.enabled': boolean;
  'cola.feedback.scope': 'workspace' | 'global';
  'cola.feedback.exclude': readonly string[];
  'cola.feedback.schedule': 'manual' | 'idle' | 'live';
  'cola.feedback.every': number;
}

/** Settings that the server is told of. */
export const serverSettings = [
  'cola.model',
  'cola.device',
  'cola.threads',
  'cola.precision',
  'cola.idleMinutes',
  'cola.interactiveLatency',
  'cola.runs.outliveWindow',
] as const;

/** The value of a setting, its default where the person has set none. */
export function setting<K extends SettingName & keyof Values>(name: K, scope?: ConfigurationScope): Values[K] {
  return workspace.getConfiguration(undefined, scope).get(name) as Values[K];
}
