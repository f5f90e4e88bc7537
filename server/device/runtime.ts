/**
 * ONNX Runtime, without its telemetry: where the variable below is not set when its library is loaded, the library for
 * Linux writes a device id and a database of events into the user's cache folder, a log into the temporary folder, and
 * would send them.
 */
import { isMainThread } from 'node:worker_threads';

const variable = 'ORT_DISABLE_TELEMETRY';

// The environment that the library sees is the process's, and only the main thread can write that one.
if (!isMainThread && process.env[variable] !== '1')
  throw new Error(`ONNX Runtime is loaded in a worker thread before ${variable} is set in the main thread`);
process.env[variable] = '1';

// Not `import … from`: imports of packages are hoisted in a bundle, above the line before.
export const ort = await import('onnxruntime-node');
