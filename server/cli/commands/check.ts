/** `cola check`: compares this engine on this machine with reference values. */
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { checkFolder } from '../../check/check.ts';
import type { Comparison } from '../../check/comparison.ts';
import { type DeviceOption, type JsonOption, openChosen, withDevice, withExamples, withJson } from '../options.ts';
import type { Session } from '../session.ts';

type Options = JsonOption & DeviceOption;

export function addCheck(program: Command, session: Session): void {
  const command = program
    .command('check')
    .description(
      'Compare what a device computes with the reference values in model folders. Exit code 1 if any differs.',
    )
    .argument('<folder...>', 'folders with expected.safetensors');
  withExamples(withDevice(withJson(command)), [
    'check test/fixtures/hf/qwen3',
    'check test/fixtures/cola/* --device webgpu',
  ]).action((folders: string[], options: Options) =>
    session.perform(options.json === true, async (output) => {
      const device = await openChosen(options, output);
      const checked: { folder: string; ok: boolean; groups: Comparison[] }[] = [];
      try {
        for (const folder of folders) {
          session.signal.throwIfAborted();
          const groups = await checkFolder(resolve(session.cwd, folder), device);
          const ok = groups.every((group) => group.ok);
          checked.push({ folder, ok, groups });
          output.line(folder);
          output.table([['  group', 'compared', 'largest difference', 'tolerance', ''], ...groups.map(rowOf)]);
        }
      } finally {
        await device.dispose();
      }
      const ok = checked.every((each) => each.ok);
      output.line(ok ? 'All values are within their tolerances.' : 'Some values differ by more than their tolerances.');
      return { value: { device: device.name, ok, folders: checked }, ok };
    }),
  );
}

function rowOf({ group, compared, difference, tolerance, ok, worst }: Comparison): string[] {
  const number = (value: number) => (Number.isInteger(value) ? String(value) : value.toExponential(2));
  return [`  ${group}`, String(compared), number(difference), number(tolerance), ok ? 'ok' : `FAIL ${worst}`];
}
