/** What one VS Code under our hands may write to: settings, extensions and a home of its own. */
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export interface Profile {
  readonly folder: string;
  readonly data: string;
  readonly extensions: string;
  readonly home: string;
}

/** Nothing of the editor's own speaks up, asks the network or completes. */
export const quiet = {
  'workbench.startupEditor': 'none',
  'telemetry.telemetryLevel': 'off',
  'extensions.autoUpdate': false,
  'extensions.autoCheckUpdates': false,
  'extensions.ignoreRecommendations': true,
  'update.mode': 'none',
  'update.showReleaseNotes': false,
  'workbench.tips.enabled': false,
  'workbench.welcomePage.walkthroughs.openOnInstall': false,
  'workbench.enableExperiments': false,
  'chat.disableAIFeatures': true,
  'chat.commandCenter.enabled': false,
  'workbench.secondarySideBar.defaultVisibility': 'hidden',
  'window.confirmBeforeClose': 'never',
  'remote.autoForwardPorts': false,
};

/**
 * Makes a profile, or completes one that is there: its settings stay as they are.
 *
 * @param extensions folder of the extensions, in the profile where none is named
 */
export function makeProfile(folder: string, settings: Readonly<Record<string, unknown>>, extensions?: string): Profile {
  const profile = {
    folder,
    data: join(folder, 'data'),
    extensions: extensions ?? join(folder, 'extensions'),
    home: join(folder, 'home'),
  };
  for (const path of [join(profile.data, 'User'), profile.extensions, profile.home])
    mkdirSync(path, { recursive: true });
  const file = join(profile.data, 'User', 'settings.json');
  if (!existsSync(file)) writeFileSync(file, JSON.stringify({ ...quiet, ...settings }, null, 2));
  return profile;
}
