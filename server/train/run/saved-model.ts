/** The model folders of a run: each appears whole or not at all, and says of which checkpoint it was made. */
import { statSync } from 'node:fs';
import { writeFolderAtomic } from '../../files/atomic.ts';
import type { Checkpoint } from '../../store/checkpoint.ts';
import { differences, readManifest, writeManifest } from '../../store/manifest.ts';
import { trainErrors } from '../errors.ts';

/** Replaces a model folder. @param finish adds what may be made anew later, and so is not in the manifest @throws store.cannotWrite; what was there before is then unchanged */
export async function saveModelFolder(
  folder: string,
  model: { save(folder: string): Promise<void> },
  checkpoint: Checkpoint | null,
  finish: (folder: string) => Promise<void> = async () => {},
): Promise<void> {
  const hash = await checkpoint?.manifestHash();
  await writeFolderAtomic(
    folder,
    async (temporary) => {
      await model.save(temporary);
      await writeManifest(temporary, hash === undefined ? {} : { origin: { checkpoint: hash } });
      await finish(temporary);
    },
    { replace: true },
  );
}

/** Whether a model folder is what a checkpoint gives. */
export async function alreadySaved(folder: string, checkpoint: Checkpoint | null): Promise<boolean> {
  const manifest = await readManifest(folder);
  const hash = await checkpoint?.manifestHash();
  if (manifest === undefined || manifest === null || hash === undefined) return false;
  return manifest.origin.checkpoint === hash && (await damageOf(folder)).length === 0;
}

/** @throws train.modelDamaged where a model that a run has written is not what was written */
export async function refuseDamaged(folder: string): Promise<void> {
  // A GGUF file is no folder, and no run has written it.
  if (statSync(folder, { throwIfNoEntry: false })?.isFile() === true) return;
  const damage = await damageOf(folder);
  if (damage.length > 0) throw trainErrors.modelDamaged(folder, damage);
}

/** What differs from a model's manifest. Labels and measures may have been added to it. */
async function damageOf(folder: string): Promise<string[]> {
  const manifest = await readManifest(folder);
  return manifest === undefined ? [] : differences(folder, manifest, 'anything');
}
