/** All settings of a run spec as one page of Markdown, from the schema that hover reads too. */
import { stageNames, stages } from '../../spec/stages.ts';
import { describeSetting, keysAt } from './schema.ts';
import type { Path } from './yaml-place.ts';

function settings(path: Path, prefix = ''): string[] {
  return keysAt(path).map(
    ({ name, schema, required }) => `${describeSetting(prefix + name, schema)}${required ? '  \nRequired.' : ''}`,
  );
}

/** The settings of the spec itself, each with those inside of it. */
const whole = (): string[] =>
  settings([]).flatMap((text, i) => {
    const { name } = keysAt([])[i];
    return [text, ...settings([name], `${name}.`)];
  });

export function specMarkdown(): string {
  const parts = stageNames().map(
    (name) => `## Stage \`${name}\`\n\n${stages[name].notes}\n\n${settings(['stages', 0, name]).join('\n\n')}`,
  );
  return `${['# Run spec', ...whole(), ...parts].join('\n\n')}\n`;
}
