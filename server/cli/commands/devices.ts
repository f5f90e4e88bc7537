/** `cola devices`: what this machine can compute on. */
import type { Command } from 'commander';
import { candidates, Device } from '../../device/device.ts';
import { type JsonOption, withExamples, withJson } from '../options.ts';
import type { Session } from '../session.ts';

export function addDevices(program: Command, session: Session): void {
  const command = program
    .command('devices')
    .description('List the devices of this machine, fastest first, and whether each of them computes.');
  withExamples(withJson(command), ['devices', 'devices --json']).action((options: JsonOption) =>
    session.perform(options.json === true, async (output) => {
      const found: { name: string; works: boolean; reason?: string }[] = [];
      for (const name of candidates()) {
        session.signal.throwIfAborted();
        try {
          await (await Device.open(name)).dispose();
          found.push({ name, works: true });
        } catch (error) {
          const reason = rootCause(error).split('\n')[0].slice(0, 200);
          found.push({ name, works: false, reason });
        }
      }
      const chosen = found.find(({ works }) => works)?.name;
      output.table(
        found.map(({ name, works, reason }) => [
          name,
          works ? (name === chosen ? 'works (auto)' : 'works') : 'no',
          reason ?? '',
        ]),
      );
      return { value: { devices: found, auto: chosen ?? null }, ok: chosen !== undefined };
    }),
  );
}

/** What the runtime itself said, below the sentences put around it. */
function rootCause(error: unknown): string {
  let cause = error;
  while (cause instanceof Error && cause.cause !== undefined) cause = cause.cause;
  return cause instanceof Error ? cause.message : String(cause);
}
