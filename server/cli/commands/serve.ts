/** `cola serve`: a model behind an address of this machine, for clients of the OpenAI API. */
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { basename } from 'node:path';
import type { Command } from 'commander';
import { ColaModel } from '../../cola/model.ts';
import { LanguageModel } from '../../model/language-model.ts';
import { serveErrors } from '../../serve/errors.ts';
import { LocalServer } from '../../serve/server.ts';
import { Service } from '../../serve/service.ts';
import type { Output } from '../io.ts';
import { namedModel } from '../named-model.ts';
import { count, type DeviceOption, openChosen, port, withDevice, withExamples } from '../options.ts';
import type { Session } from '../session.ts';

type Options = DeviceOption & {
  readonly model: string;
  readonly name?: string;
  readonly host: string;
  readonly port: number;
  readonly parallel: number;
  readonly waiting: number;
  readonly timeout: number;
};

/** The variable that has the token. */
const tokenVariable = 'COLA_SERVE_TOKEN';

export function addServe(program: Command, session: Session): void {
  const command = program
    .command('serve')
    .description(
      `Answer clients of the OpenAI API on this machine, many at once, by latent actions where the model has them. Clients need the token that is printed, or the one in the variable ${tokenVariable}.`,
    )
    .requiredOption('--model <folder>', 'model folder, a run, or builtin:nano')
    .option('--name <name>', 'what clients call the model (default: the name of its folder or run)')
    .option(
      '--host <address>',
      'where to listen; anything but 127.0.0.1 can be reached from other machines',
      '127.0.0.1',
    )
    .option('--port <number>', '0 for any that is free', port, 8372)
    .option('--parallel <count>', 'answers that are written at once', count, 8)
    .option('--waiting <count>', 'answers that may wait; more are refused', count, 256)
    .option('--timeout <seconds>', 'longest time for an answer', count, 600);
  withExamples(withDevice(command), [
    'serve --model builtin:nano',
    'serve --model countdown --name countdown --port 9000',
  ]).action((options: Options) => session.perform(false, (output) => run(options, output, session)));
}

async function run(options: Options, output: Output, session: Session) {
  const token = tokenOf(process.env[tokenVariable]);
  const { folder, run: made } = await namedModel(options.model, session.cwd);
  const model = ColaModel.exists(folder) ? await ColaModel.load(folder) : await LanguageModel.load(folder);
  const name = options.name ?? basename(made ?? options.model.replace(/^builtin:/, ''));
  const device = await openChosen(options, output);
  try {
    const service = new Service(device, model, { ...options, name });
    try {
      const onFailure = (error: unknown) =>
        output.note(error instanceof Error ? (error.stack ?? error.message) : String(error));
      const server = await LocalServer.listen(service, { ...options, token, onFailure });
      const given = process.env[tokenVariable] !== undefined;
      output.note(
        [
          `"${name}" answers at ${server.url}`,
          given ? `Token: the one in ${tokenVariable}` : `Token: ${token}`,
          ...(loopback.has(options.host)
            ? []
            : ['Other machines can reach this address. What they send is not encrypted.']),
          'Press Ctrl+C to end it.',
        ].join('\n'),
      );
      if (!session.signal.aborted) await once(session.signal, 'abort');
      await server.close();
    } finally {
      await service.close();
    }
    return { value: undefined, ok: true };
  } finally {
    await device.dispose();
  }
}

const loopback: ReadonlySet<string> = new Set(['127.0.0.1', '::1', 'localhost']);

function tokenOf(given: string | undefined): string {
  if (given === undefined) return randomBytes(24).toString('base64url');
  if (!/^[A-Za-z0-9\-_.~+/=]{16,512}$/.test(given)) throw serveErrors.weakToken(tokenVariable);
  return given;
}
