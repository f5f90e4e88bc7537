/** Every contribution of the extension. */
import { chat } from './chat.ts';
import { completion } from './completion.ts';
import type { Contribution } from './contribution.ts';
import { core } from './core.ts';
import { dashboard } from './dashboard.ts';
import { feedback } from './feedback.ts';
import { language } from './language.ts';
import { models } from './models.ts';
import { play } from './play.ts';
import { training } from './training.ts';
import { tree } from './tree.ts';
import { walkthrough } from './walkthrough.ts';

const all = [core, completion, chat, feedback, training, models, language, walkthrough, dashboard, tree, play] as const;
export const parts: readonly Contribution[] = all;

type Keys<T> = T extends { readonly commands: infer C } ? keyof C & string : never;
/** Names of the commands that exist. */
export type CommandName = Keys<(typeof all)[number]>;

type SettingKeys<T> = T extends { readonly settings: infer S } ? keyof S & string : never;
/** Full names of the settings that exist. */
export type SettingName = SettingKeys<(typeof all)[number]>;
