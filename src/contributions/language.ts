/** Run specs as a language: YAML to the eye, and to nothing else that knows YAML. */
import type { Contribution } from './contribution.ts';

export const language = {
  other: {
    languages: [
      {
        id: 'cola-spec',
        aliases: ['CoLA run spec'],
        filenamePatterns: ['*.cola.yaml', '*.cola.yml'],
        configuration: './assets/cola-spec.language.json',
      },
    ],
    grammars: [{ language: 'cola-spec', scopeName: 'source.cola-spec', path: './assets/cola-spec.tmLanguage.json' }],
  },
} as const satisfies Contribution;
