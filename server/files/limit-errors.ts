import { catalogue } from '../errors.ts';

/** What the system refuses for lack of it. */
export const limitErrors = catalogue('limits', {
  memory: (cause: unknown) => [
    'There is not enough memory for this.',
    'Close other programs, or use a smaller batch or shorter sequences: `cola fit` says what each part of a run takes.',
    cause,
  ],
  addresses: (cause: unknown) => [
    'The system lets this program have too few addresses of memory for WebAssembly.',
    'Lift the limit with `ulimit -v unlimited`, or ask for less: `export NODE_OPTIONS=--disable-wasm-trap-handler`.',
    cause,
  ],
  openFiles: (cause: unknown) => [
    'The system lets this program have no more files open.',
    'Allow more in the shell that starts it, for example with `ulimit -n 1024`.',
    cause,
  ],
  processes: (cause: unknown) => [
    'The system lets no more processes be started.',
    'Close other programs, or allow more with `ulimit -u`.',
    cause,
  ],
});
