/** All settings of a run spec as one page of Markdown, from the schema that hover reads too. */
import { stageNames, stages } from '../spec/stages.ts';
import { describeSetting, keysAt } from './spec-schema.ts';
import type { Path } from './yaml-place.ts';

function settings(path: Path): string {
  return keysAt(path)
    .map(({ name, schema, required }) => `${describeSetting(name, schema)}${required ? '  \nRequired.' : ''}`)
    .join('\n\n');
}

export function specMarkdown(): string {
  const parts = stageNames().map(
    (name) => `## Stage \`${name}\`\n\n${stages[name].notes}\n\n${settings(['stages', 0, name])}`,
  );
  return `${['# Run spec', settings([]), ...parts].join('\n\n')}\n`;
}
