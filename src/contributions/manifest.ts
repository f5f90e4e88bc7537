/** Contributions as `package.json` has them. */
import type { Contribution } from './contribution.ts';
import { parts } from './index.ts';
import { named, type Texts } from './nls.ts';

/** Title of the settings, category of the commands, and the container of the views. */
const product = 'CoLA';
export const viewContainer = 'cola';

const merged = <K extends keyof Contribution>(
  key: K,
): [string, NonNullable<Contribution[K]>[keyof Contribution[K]]][] =>
  parts.flatMap((part) => Object.entries(part[key] ?? {}));

/**
 * Settings whose values in a folder that is not trusted count for nothing: all of them. Some choose what is loaded and
 * recorded, and each can at least keep the computer busy.
 */
export function restrictedConfigurations(): string[] {
  return parts.flatMap((part) => Object.keys(part.settings ?? {}));
}

/** What the editor says of folders that it does not trust, and of those that are not on the disk. */
const capabilities = {
  untrustedWorkspaces:
    'In a folder that is not trusted nothing of it runs: no training, no search, no rewards. Nothing is recorded either, and its settings of CoLA do not count. Completion with the model in the box works.',
  virtualWorkspaces: 'Runs and searches need a folder on disk.',
};

/** What the manifest says, with a name in the place of each text that a person reads, and these texts in English. */
export function localized(): {
  readonly contributes: unknown;
  readonly capabilities: Readonly<Record<keyof typeof capabilities, string>>;
  readonly texts: Texts;
} {
  const whole = named(contributes(), '');
  const able = Object.entries(capabilities).map(([name, text]) => [name, `capabilities.${name}`, text] as const);
  return {
    contributes: whole.value,
    capabilities: Object.fromEntries(able.map(([name, key]) => [name, `%${key}%`])) as typeof capabilities,
    texts: { ...whole.texts, ...Object.fromEntries(able.map(([, key, text]) => [key, text])) },
  };
}

/** The value of `contributes` in the manifest, in English. */
export function contributes(): Record<string, unknown> {
  const commands = parts.flatMap((part) => Object.entries(part.commands ?? {}));
  const menus: Record<string, object[]> = {};
  for (const [place, entries] of merged('menus')) menus[place] = [...(menus[place] ?? []), ...(entries as object[])];
  const hidden = commands
    .filter(([, { palette }]) => palette !== undefined)
    .map(([command, { palette }]) => ({ command, when: palette === false ? 'false' : palette }));
  const other: Record<string, object[]> = {};
  for (const [point, entries] of merged('other')) other[point] = [...(other[point] ?? []), ...(entries as object[])];
  return {
    commands: commands.map(([command, { title, icon, enablement }]) => ({
      command,
      title,
      category: product,
      ...(icon === undefined ? {} : { icon }),
      ...(enablement === undefined ? {} : { enablement }),
    })),
    configuration: {
      title: product,
      properties: Object.fromEntries(parts.flatMap((part) => Object.entries(part.settings ?? {}))),
    },
    keybindings: parts.flatMap((part) => part.keybindings ?? []),
    menus: { ...menus, commandPalette: [...(menus.commandPalette ?? []), ...hidden] },
    viewsContainers: { activitybar: [{ id: viewContainer, title: 'CoLA Studio', icon: 'assets/icon.svg' }] },
    views: { [viewContainer]: parts.flatMap((part) => part.views ?? []) },
    viewsWelcome: parts.flatMap((part) => part.viewsWelcome ?? []),
    ...other,
  };
}
