/**
 * Feedback: what is recorded, when the policy is tuned from it, and the versions that come of it. All settings are a person's own:
 * a repository that brings settings along must not have its readers recorded.
 */
import type { Contribution } from './contribution.ts';

export const feedback = {
  commands: {
    'cola.tuneFromFeedback': { title: 'Tune From Feedback Now', icon: '$(sparkle)' },
    'cola.showFeedback': { title: 'Show Feedback', icon: '$(feedback)' },
    'cola.exportFeedback': { title: 'Export Feedback…', icon: '$(export)' },
    'cola.clearFeedback': { title: 'Clear Feedback…', icon: '$(clear-all)' },
    'cola.policyVersions': { title: 'Policy Versions…', icon: '$(versions)' },
    'cola.whySuggestion': { title: 'Why This Suggestion', icon: '$(question)' },
    'cola.tuneFromPath': { title: 'Tune From This Path', palette: false },
  },
  settings: {
    'cola.feedback.enabled': {
      type: 'boolean',
      default: false,
      markdownDescription:
        'Record on this computer what you do with completions and with answers of `@cola`, so that the policy can be tuned from it. Recorded are the tokens around the cursor (40 before, 12 behind) or the last 40 of the conversation, the alternatives with their latent actions, and what you accepted and rejected. Files that git ignores, files and lines that look like secrets, and files of `#cola.feedback.exclude#` are never recorded. Off means that nothing is written.',
      scope: 'machine',
      order: 40,
    },
    'cola.feedback.scope': {
      type: 'string',
      enum: ['workspace', 'global'],
      enumDescriptions: [
        'In `.cola/feedback` of the folder, with policy versions of its own.',
        'In one log of this computer, with one policy for all folders.',
      ],
      default: 'workspace',
      markdownDescription: 'Where feedback and policy versions are kept.',
      scope: 'machine',
      order: 41,
    },
    'cola.feedback.exclude': {
      type: 'array',
      items: { type: 'string' },
      default: [],
      markdownDescription: 'Patterns of files that are never recorded, such as `**/customers/**`.',
      scope: 'machine',
      order: 42,
    },
    'cola.feedback.schedule': {
      type: 'string',
      enum: ['manual', 'idle', 'live'],
      enumDescriptions: [
        'Only by the command `CoLA: Tune From Feedback Now`.',
        'After every `#cola.feedback.every#` judgements, once you pause.',
        'After every judgement, once you pause.',
      ],
      default: 'manual',
      markdownDescription:
        'When the policy is tuned from feedback. A new version is put in use only if what was held back speaks for it.',
      scope: 'machine',
      order: 43,
    },
    'cola.feedback.every': {
      type: 'integer',
      default: 50,
      minimum: 1,
      maximum: 10000,
      markdownDescription: 'Judgements between two tunings of the schedule `idle`.',
      scope: 'machine',
      order: 44,
    },
  },
} as const satisfies Contribution;
