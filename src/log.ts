/** The log of the extension, whose latest lines can be read back for a report. */
import { type LogOutputChannel, window } from 'vscode';

/** Lines that are kept. */
const capacity = 2000;
const levels = ['trace', 'debug', 'info', 'warn', 'error'] as const;

export interface RecordedLog extends LogOutputChannel {
  /** The latest lines, oldest first. */
  recent(): string[];
}

/** An output channel that remembers what was written last. */
export function openLog(name: string): RecordedLog {
  const channel = window.createOutputChannel(name, { log: true });
  const lines: string[] = [];
  const keep = (level: string, message: unknown) => {
    const text = message instanceof Error ? (message.stack ?? message.message) : String(message);
    lines.push(`${new Date().toISOString()} ${level} ${text}`);
    if (lines.length > capacity) lines.splice(0, lines.length - capacity);
  };
  return new Proxy(channel, {
    get(target, property) {
      if (property === 'recent') return () => [...lines];
      const level = levels.find((each) => each === property);
      if (level !== undefined || property === 'append' || property === 'appendLine') {
        const write = Reflect.get(target, property) as (...args: unknown[]) => void;
        return (...args: unknown[]) => {
          keep(level ?? 'info', args[0]);
          write.apply(target, args);
        };
      }
      const value: unknown = Reflect.get(target, property);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  }) as RecordedLog;
}
