/** All settings of a run spec as one page of Markdown, from the schema that hover reads too. */
import { type StageName, stageNames, stages } from '../../spec/stages.ts';
import { describeSetting, type KeyNote, keysAt, typeOf } from './schema.ts';
import type { Path } from './yaml-place.ts';

function settings(path: Path, prefix = ''): string[] {
  return keysAt(path).map(
    ({ name, schema, required }) => `${describeSetting(prefix + name, schema)}${required ? '  \nRequired.' : ''}`,
  );
}

/** Settings, each with those inside of it. @param inside whether what is inside of one is listed */
function whole(path: Path, inside: (key: KeyNote) => boolean): string[] {
  const keys = keysAt(path);
  return settings(path).flatMap((text, i) => {
    const { name } = keys[i];
    return inside(keys[i]) ? [text, ...settings([...path, name], `${name}.`)] : [text];
  });
}

export function specMarkdown(): string {
  const stage = (name: StageName) => whole(['stages', 0, name], ({ schema }) => typeOf(schema) === 'settings');
  const parts = stageNames().map(
    (name) => `## Stage \`${name}\`\n\n${stages[name].notes}\n\n${stage(name).join('\n\n')}`,
  );
  return `${['# Run spec', ...whole([], () => true), ...parts].join('\n\n')}\n`;
}
