/** The reference values of a folder: `expected.safetensors` and `expected.json`. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { limits, readText } from '../files/open.ts';
import { SafetensorsFile } from '../files/safetensors.ts';
import { configErrors } from '../model/errors.ts';
import { firstIssue } from '../schemas/first-issue.ts';
import { checkErrors } from './errors.ts';

const roundTrip = z.looseObject({
  text: z.string(),
  ids: z.array(z.number()),
  ids_without_special: z.array(z.number()).optional(),
  decoded: z.string().optional(),
  decoded_skip_special: z.string().optional(),
});

const decode = z.looseObject({
  ids: z.array(z.number()),
  decoded: z.string().optional(),
  decoded_skip_special: z.string().optional(),
});

const chat = z.looseObject({
  messages: z.array(z.looseObject({ role: z.string(), content: z.string() })),
  add_generation_prompt: z.boolean().optional(),
  rendered: z.string().optional(),
  text: z.string().optional(),
  ids: z.array(z.number()).optional(),
});

const schema = z.looseObject({
  tolerance: z
    .looseObject({
      logits_max_abs: z.number().optional(),
      hidden_max_abs: z.number().optional(),
      pad_logits_max_abs: z.number().optional(),
      loss_abs: z.number().optional(),
      grad_max_abs_over_tensor_max: z.number().optional(),
    })
    .optional(),
  greedy: z.looseObject({ prompt_length: z.number().optional() }).optional(),
  config_v4_style: z.record(z.string(), z.unknown()).optional(),
  tokenizer: z
    .looseObject({
      round_trips: z.array(roundTrip).optional(),
      decodes: z.array(decode).optional(),
      chats: z.array(chat).optional(),
    })
    .optional(),
  chats: z.array(chat).optional(),
  mcts: z.array(z.unknown()).optional(),
});

export type ExpectedJson = z.infer<typeof schema>;
export type ExpectedChat = z.infer<typeof chat>;

export class Reference {
  private constructor(
    readonly tensors: SafetensorsFile,
    readonly json: ExpectedJson,
  ) {}

  static exists(folder: string): boolean {
    return existsSync(join(folder, 'expected.safetensors'));
  }

  /** @throws check.noReference, check.json, safetensors.* */
  static open(folder: string): Reference {
    if (!existsSync(folder)) throw configErrors.noModel(folder);
    if (!Reference.exists(folder)) throw checkErrors.noReference(folder);
    const file = join(folder, 'expected.json');
    let json: unknown = {};
    if (existsSync(file)) {
      try {
        json = JSON.parse(readText(file, limits.actions));
      } catch (error) {
        throw checkErrors.json(file, error instanceof Error ? error.message : String(error));
      }
    }
    const parsed = schema.safeParse(json);
    if (!parsed.success) {
      const { path, detail } = firstIssue(parsed.error);
      throw checkErrors.json(file, `"${path}": ${detail}`);
    }
    return new Reference(SafetensorsFile.open(join(folder, 'expected.safetensors')), parsed.data);
  }

  has(name: string): boolean {
    return this.tensors.has(name);
  }

  shape(name: string): readonly number[] {
    return this.tensors.info(name).shape;
  }

  floats(name: string): Float32Array {
    return this.tensors.readFloat32(name);
  }

  /** Integers of any stored width as int32. */
  ints(name: string): Int32Array {
    const { dtype } = this.tensors.info(name);
    return dtype === 'I64' ? Int32Array.from(this.tensors.readBigInt64(name), Number) : this.tensors.readInt32(name);
  }

  /** Names of the gradients of a loss, without the prefix. */
  gradientsOf(prefix: string): string[] {
    return this.tensors.names.filter((name) => name.startsWith(prefix)).map((name) => name.slice(prefix.length));
  }

  [Symbol.dispose](): void {
    this.tensors.close();
  }
}
