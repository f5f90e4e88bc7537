import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { household } from '../../server/environments/household/household.ts';
import { parseSpec } from '../../server/spec/document.ts';
import type { RunSpec } from '../../server/spec/schema.ts';

const folder = join(import.meta.dirname, '../../examples');

function specOf(name: string): RunSpec {
  const file = join(folder, name);
  const { spec, problems } = parseSpec(readFileSync(file, 'utf8'), file);
  assert.deepEqual(problems, []);
  assert(spec !== undefined);
  return spec;
}

describe('the examples', () => {
  it('are specs as they should be', () => {
    const files = readdirSync(folder).filter((name) => name.endsWith('.cola.yaml'));
    assert(files.length >= 2);
    for (const name of files) assert(specOf(name).stages.length > 0);
  });

  it('demonstrate and reinforce in the same kind of world', () => {
    const [demonstrated, reinforced] = specOf('agent.cola.yaml').stages;
    assert(demonstrated.name === 'tokens' && reinforced.name === 'tokens');
    const { data } = demonstrated.settings;
    assert(typeof data === 'object' && 'environment' in data && typeof data.environment === 'object');
    assert.deepEqual(reinforced.settings.environment, data.environment);
    assert.equal(household(data.environment.household).instructions, '');
  });
});
