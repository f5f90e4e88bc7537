/** A worker that does not do what it is asked, once in each way: the variable COLA_TEST_LIES is a folder where each lie is noted. */
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Outgoing } from '../../server/cluster/frames.ts';
import { WorkerHost } from '../../server/cluster/worker-host.ts';

const { COLA_TEST_LIES: folder = '' } = process.env;
const lies = ['NaN', 'shape', 'noise', 'hang'] as const;
const { answer } = WorkerHost.prototype;

WorkerHost.prototype.answer = async function (frame) {
  const honest = await answer.call(this, frame);
  const lie = lies.find((name) => !existsSync(join(folder, name)));
  const { kind } = frame.head as { kind: string };
  if (lie === undefined || kind !== (lie === 'hang' ? 'begin' : 'sum')) return honest;
  writeFileSync(join(folder, lie), '');
  const head = JSON.parse(Buffer.from(honest.pieces[1]).toString('utf8')) as Record<string, unknown>;
  const floats = honest.pieces.slice(2).map(({ buffer, byteOffset, byteLength }) => {
    return new Float32Array(buffer.slice(byteOffset, byteOffset + byteLength) as ArrayBuffer);
  });
  switch (lie) {
    case 'NaN':
      floats[0][0] = Number.NaN;
      return Outgoing.of(head, floats);
    case 'shape':
      return Outgoing.of(head, [floats[0].subarray(1), ...floats.slice(1)]);
    case 'noise':
      process.stdout.write('this is no message\n');
      return honest;
    default:
      return new Promise(() => {});
  }
};

await import('../../server/cluster/worker.ts');
