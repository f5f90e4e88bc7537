/**
 * Which requests need a folder that is trusted. What a repository brings along may be made to do harm: rewards are code, logs,
 * versions and searches are files that something is done with. The language server looks here before it answers, and before it
 * asks the engine; an engine that was started for a folder without trust looks here too, whoever asks it.
 */
import { beforeAfter } from '../before-after.ts';
import { countTokens } from '../data.ts';
import { evaluate } from '../evaluate.ts';
import {
  actionHistory,
  chooseVersion,
  correctFeedback,
  eraseFeedback,
  listFeedback,
  listVersions,
  noteFeedback,
  notePath,
  pathLines,
  preferVersion,
  scorePolicies,
  tunePolicy,
  usePolicy,
} from '../feedback.ts';
import { playRequests } from '../play.ts';
import { noteRun, reportRun, resumeRun, startRun, timeSpec } from '../runs.ts';
import {
  describeSearch,
  exportSearch,
  extendSearch,
  findInSearch,
  forceAction,
  inspectNode,
  markNode,
  scoreNode,
  searchGrowth,
  searchNodes,
  searchSimulations,
  startSearch,
  startTurnSearch,
} from '../search.ts';
import { listWorkers } from '../workers.ts';
import type { RequestType } from './request.ts';

/** What an engine is started with for a folder that is not trusted. */
export const untrustedFlag = '--untrusted';

/** Requests about a tree: they read its file where the engine does not have it yet. */
export const searchRequests = [
  startSearch,
  startTurnSearch,
  extendSearch,
  forceAction,
  markNode,
  scoreNode,
  inspectNode,
  searchNodes,
  searchGrowth,
  searchSimulations,
  describeSearch,
  findInSearch,
  exportSearch,
] as const;

const needs: Readonly<Record<string, readonly RequestType[]>> = {
  'A training run': [startRun, resumeRun, timeSpec, listWorkers],
  'A note to a run': [noteRun],
  'The report of a run': [reportRun],
  'A measurement': [evaluate, beforeAfter],
  // A tokenizer's expressions are a stranger's programs.
  'Counting tokens': [countTokens],
  'A search': searchRequests,
  // A module, a server of tools or a spec of the folder may be what is played.
  'An environment': playRequests,
  'Tuning from feedback': [tunePolicy],
  'A policy version': [usePolicy, listVersions, chooseVersion, preferVersion, scorePolicies],
  'Recording feedback': [noteFeedback, notePath, pathLines],
  'Reading feedback': [listFeedback, correctFeedback, eraseFeedback, actionHistory],
};

const words = new Map(Object.entries(needs).flatMap(([what, types]) => types.map(({ method }) => [method, what])));

/** What of a request needs trust, in words; undefined for one that needs none. */
export function trustedFor(method: string): string | undefined {
  return words.get(method);
}
