/** The reference model and its text. */

import { Reference } from '../../server/check/reference.ts';
import { Device } from '../../server/device/device.ts';
import { Subject } from '../../server/evaluate/subject.ts';
import type { Sequences } from '../../server/train/measures/states.ts';

export const folder = 'test/fixtures/cola/n8-plain';

export interface Fixture {
  readonly device: Device;
  readonly subject: Subject;
  readonly reference: Reference;
  /** `in.input_ids`. */
  readonly text: Sequences;
  close(): Promise<void>;
}

export async function openFixture(): Promise<Fixture> {
  const device = await Device.open('cpu', { threads: 1 });
  const subject = await Subject.load(device, folder);
  const reference = Reference.open(folder);
  const [count, length] = reference.shape('in.input_ids');
  return {
    device,
    subject,
    reference,
    text: { ids: reference.ints('in.input_ids'), count, length },
    close: async () => {
      reference[Symbol.dispose]();
      subject.dispose();
      await device.dispose();
    },
  };
}

/** The model of the fixture, which has every module. */
export function colaOf({ subject }: Fixture) {
  const cola = subject.with('idm', 'world', 'policy');
  if (cola === undefined) throw new Error('the fixture lacks a module');
  return cola;
}
