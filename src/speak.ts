/** Gives the extension the language of the editor. Imported before everything else. */
import { l10n } from 'vscode';
import { speak } from './l10n.ts';

speak(l10n.bundle);
