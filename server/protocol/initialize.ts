/** What the editor tells the language server when it starts it, and how the server says how far an answer is. */
import { z } from 'zod';
import { nothing, request } from './channel/request.ts';
import { precisionChoices } from './precision.ts';

export const serverOptions = z.object({
  /** Whether the person trusts the folder: in one that is not trusted nothing of it runs. */
  trusted: z.boolean().default(false),
  /** The model that completes until another is chosen: `builtin:nano` or an absolute folder. */
  model: z.string().min(1).default('builtin:nano'),
  device: z.string().default('auto'),
  threads: z.int().positive().optional(),
  /** The form the weights of the base are kept in, of the model that completes. */
  precision: z.enum(precisionChoices).default('auto'),
  /** After so many minutes without use the engine ends, which frees its memory. */
  idleMinutes: z.number().positive().default(15),
  /** Milliseconds that a completion may wait for a run of training to end. */
  interactiveLatency: z.number().positive().default(45),
  /** Whether runs go on when the window is closed, each in a process of its own. */
  outliveWindow: z.boolean().default(false),
  /** Another engine than the one beside the server. */
  engine: z.object({ file: z.string(), execArgv: z.array(z.string()).default([]) }).optional(),
});
export type ServerOptions = z.output<typeof serverOptions>;

/** Beside what is asked: the name under which `$/progress` tells how far the answer is, as the Language Server Protocol has it. */
export const progressToken = 'partialResultToken';

/** Settings or trust have changed. A model that is loaded is loaded anew where they ask for another one. */
export const configure = request('cola/configure', serverOptions.omit({ engine: true }), nothing);
