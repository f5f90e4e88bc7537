/** What the run dashboard, the comparison of runs and the actions page ask the extension, beyond what the server answers. */
import { z } from 'zod';
import { nothing, notification, request } from '../channel/request.ts';
import { actionHistory } from '../feedback.ts';
import { historyLimits, runSample } from '../history.ts';
import { runKey } from '../runs.ts';

/** The run that a dashboard is about; null for a page that came back without one. */
export const dashboardSubject = request('page/run/subject', nothing, z.object({ subject: runKey.nullable() }));
/** Lets the person choose another run for the page. */
export const chooseRun = request('page/run/choose', nothing, z.object({ subject: runKey.nullable() }));

/** The runs that a comparison is about. */
export const comparedRuns = z.array(runKey).max(historyLimits.runs);
export const compareSubject = request('page/compare/subject', nothing, z.object({ subject: comparedRuns }));
/** Lets the person choose the runs to compare; what was chosen before is ticked. */
export const chooseRuns = request('page/compare/choose', nothing, z.object({ subject: comparedRuns }));
/** Compares a run with others that the person chooses. */
export const compareWith = request('page/run/compare', runKey, nothing);

/** Opens the dashboard of a run. */
export const openDashboard = request('page/run/open', runKey, nothing);

/** Opens a sample as text beside the page. */
export const openSample = request('page/run/sample', z.strictObject({ sample: runSample }), nothing);
/** Opens a sample of several turns as a conversation. */
export const sampleToConversation = request('page/run/conversation', z.strictObject({ sample: runSample }), nothing);
/** Opens the search tree at the prompt of a sample. */
export const sampleToTree = request(
  'page/run/tree',
  z.strictObject({ prompt: z.string(), actions: z.array(z.int()) }),
  nothing,
);
/** Opens a file of the run. */
export const openRunFile = request(
  'page/run/file',
  z.strictObject({ file: z.enum(['spec', 'log', 'folder']) }),
  nothing,
);
/** Opens the page of an action. */
export const showAction = request('page/action/show', z.strictObject({ action: z.int().nonnegative() }), nothing);

/** What an actions page is about: a model, and the action that is shown large. */
export const actionsSubject = z.strictObject({
  model: z.string().nullable(),
  action: z.int().nonnegative().nullable(),
});
export type ActionsSubject = z.infer<typeof actionsSubject>;
export const readActionsSubject = request(
  'page/actions/subject',
  nothing,
  actionsSubject.extend({ model: z.string() }),
);
/** The page shows this action now. */
export const turnToAction = request(
  'page/actions/turn',
  z.strictObject({ action: z.int().nonnegative().nullable() }),
  nothing,
);
/** To the page: show this action. */
export const actionAsked = notification('page/actions/asked', z.strictObject({ action: z.int().nonnegative() }));
/** Marks in the open editor where actions fire. */
export const markActions = request(
  'page/actions/mark',
  z.strictObject({ action: z.int().nonnegative().nullable() }),
  nothing,
);
/** What the person did with an action in the open folders; null where nothing was recorded. */
export const historyWithYou = request(
  'page/actions/history',
  z.strictObject({ action: z.int().nonnegative() }),
  z.object({ history: actionHistory.result.nullable() }),
);
/** Puts the command that makes the profiles of the model into a terminal, without running it. */
export const makeProfiles = request('page/actions/make', nothing, nothing);
