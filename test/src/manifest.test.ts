import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { contributes } from '../../src/contributions/manifest.ts';

describe('manifest', () => {
  const manifest = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));

  it('has the contributions that the types declare', () => {
    assert.deepEqual(manifest.contributes, JSON.parse(JSON.stringify(contributes())), 'run `npm run contributions`');
  });

  it('declares nothing twice', () => {
    const names = manifest.contributes.commands.map(({ command }: { command: string }) => command);
    assert.equal(new Set(names).size, names.length);
  });

  it('refers only to commands and views that exist', () => {
    const commands = new Set(manifest.contributes.commands.map(({ command }: { command: string }) => command));
    const used = [
      ...manifest.contributes.keybindings.map(({ command }: { command: string }) => command),
      ...Object.values<{ command: string }[]>(manifest.contributes.menus).flatMap((menu) =>
        menu.map(({ command }) => command),
      ),
    ];
    // The editor's own commands have no `cola.`.
    assert.deepEqual(
      used.filter((command: string) => command.startsWith('cola.') && !commands.has(command)),
      [],
    );
  });
});
