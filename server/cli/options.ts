/** Options that several commands have, and how their values are read. */
import { type Command, InvalidArgumentError, Option } from 'commander';
import { type Device, openDevice } from '../device/device.ts';
import { deviceNames } from '../device/names.ts';
import { type PrecisionChoice, precisionChoices } from '../protocol/precision.ts';
import { writtenNumber } from '../schemas/written-number.ts';
import { type ClusterEngine, type ClusterSettings, clusterSettings, engines } from '../spec/settings/cluster.ts';
import type { Output } from './io.ts';

function number(text: string, good: (value: number) => boolean, what: string): number {
  const value = Number(text.replaceAll('_', ''));
  if (text.trim() !== '' && Number.isFinite(value) && good(value)) return value;
  const meant = writtenNumber(text);
  throw new InvalidArgumentError(
    meant !== undefined && good(meant) ? `It should be ${what}: write ${meant}.` : `It should be ${what}.`,
  );
}

export const count = (text: string) => number(text, (n) => Number.isSafeInteger(n) && n > 0, 'a whole number above 0');
export const natural = (text: string) =>
  number(text, (n) => Number.isSafeInteger(n) && n >= 0, 'a whole number, 0 or more');
export const integer = (text: string) => number(text, Number.isSafeInteger, 'a whole number');
export const positive = (text: string) => number(text, (n) => n >= 0, 'a number, 0 or more');
export const port = (text: string) =>
  number(text, (n) => Number.isSafeInteger(n) && n >= 0 && n <= 65_535, 'a whole number from 0 to 65535');
export const share = (text: string) => number(text, (n) => n > 0 && n <= 1, 'a number above 0, at most 1');

export interface JsonOption {
  readonly json?: boolean;
}

export interface DeviceOption {
  readonly device: string;
  readonly threads?: number;
}

export function withJson(command: Command): Command {
  return command.option('--json', 'print the result as JSON on stdout; progress and notes go to stderr');
}

export function withDevice(command: Command): Command {
  const names = ['auto', ...deviceNames];
  return command
    .addOption(new Option('--device <name>', 'what computes').choices(names).default('auto'))
    .option('--threads <count>', 'threads on the CPU (default: all cores)', count);
}

export interface WorkersOption {
  readonly cluster?: ClusterEngine;
  readonly workers?: number;
}

/** @param what who computes what */
export const withWorkers = (command: Command, what: string): Command =>
  command
    .addOption(new Option('--cluster <engine>', what).choices([...engines]))
    .option('--workers <count>', 'how many workers; results do not depend on it', count);

/** What is said of workers, where anything is. */
export function clusterOf({ cluster: engine, workers }: WorkersOption): ClusterSettings | undefined {
  if (engine === undefined && workers === undefined) return undefined;
  return clusterSettings.parse({ engine, workers });
}

export interface PrecisionOption {
  readonly precision: PrecisionChoice;
}

/** @param usual what is taken where nothing is said; a word for it where that depends */
export function withPrecision(command: Command, usual: PrecisionChoice | { readonly words: string }): Command {
  const otherwise = typeof usual === 'string' ? '' : ` (default: ${usual.words})`;
  const what = `how the weights of the base are kept; auto is f32 below 3e8 parameters and int8 from there${otherwise}`;
  const option = new Option('--precision <form>', what).choices(precisionChoices);
  return command.addOption(typeof usual === 'string' ? option.default(usual) : option);
}

/** Examples below the help of a command. */
export function withExamples(command: Command, examples: readonly string[]): Command {
  return command.addHelpText('after', `\nExamples:\n${examples.map((example) => `  $ cola ${example}`).join('\n')}`);
}

/** Opens the chosen device and says which it is, and why it is not a faster one. */
export async function openChosen({ device: name, threads }: DeviceOption, output: Output): Promise<Device> {
  const { device, attempts } = await openDevice(name, threads === undefined ? {} : { threads });
  const refused = attempts.filter(({ reason }) => reason !== undefined).map((attempt) => attempt.name);
  output.note(`Device: ${device.name}${refused.length > 0 ? ` (${refused.join(', ')}: not usable here)` : ''}`);
  return device;
}
