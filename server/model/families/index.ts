/** Every family of models that is read. */
import type { Family } from './family.ts';
import { gemma2, gemma3 } from './gemma.ts';
import { llama } from './llama.ts';
import { mistral } from './mistral.ts';
import { phi3 } from './phi3.ts';
import { qwen2 } from './qwen2.ts';
import { qwen3 } from './qwen3.ts';
import { smollm3 } from './smollm3.ts';

export const families: Family[] = [llama, mistral, qwen2, qwen3, smollm3, gemma2, gemma3, phi3];
