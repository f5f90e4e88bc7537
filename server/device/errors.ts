import { catalogue } from '../errors.ts';

const reason = (cause: unknown) =>
  (cause instanceof Error ? cause.message : String(cause)).split('\n')[0].slice(0, 300);

export const deviceErrors = catalogue('device', {
  unavailable: (name: string, cause: unknown) => [
    `The device "${name}" cannot be used on this machine: ${reason(cause)}`,
    'Choose another device, or "auto" to take the fastest one that works. `cola devices` lists them.',
    cause,
  ],
  unknown: (name: string) => [`There is no device "${name}".`, 'Use one of auto, webgpu, cuda, dml, coreml, cpu.'],
  outOfMemory: (name: string, cause: unknown) => [
    `The device "${name}" ran out of memory.`,
    'Use a smaller batch or shorter sequences, or the cpu device. `cola fit` says what fits.',
    cause,
  ],
  failed: (name: string, cause: unknown) => [
    `The device "${name}" could not finish a computation: ${reason(cause)}`,
    'Try again on the cpu device. If it happens there too, please report it together with this message.',
    cause,
  ],
  released: (what: string) => [
    `${what} was used after it had been released.`,
    'This is a mistake in CoLA Studio. Please report it together with what you did.',
  ],
});
