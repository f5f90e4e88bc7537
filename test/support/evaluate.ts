import type { CompileOptions, Device } from '../../server/device/device.ts';
import type { Feed } from '../../server/device/program.ts';
import type { Tensor } from '../../server/graph/tensor.ts';

/** Compiles the outputs, runs once and gives back the values as plain numbers; nothing stays alive. */
export async function evaluate(
  device: Device,
  outputs: Readonly<Record<string, Tensor>>,
  feeds: Readonly<Record<string, Feed>> = {},
  options: CompileOptions = {},
): Promise<Record<string, number[]>> {
  const program = await device.compile(outputs, options);
  try {
    const results = await program.run(feeds);
    const values: Record<string, number[]> = {};
    for (const [name, buffer] of Object.entries(results)) {
      values[name] = Array.from(await buffer.read(), Number);
      buffer.release();
    }
    return values;
  } finally {
    await program.dispose();
  }
}
