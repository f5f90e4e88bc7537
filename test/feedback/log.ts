/** A process that appends events to a feedback log until it has written so many, or is killed: `node log.ts PATH NAME COUNT`. */
import { FeedbackLog } from '../../server/feedback/log.ts';

const [, script, path, name, count] = process.argv;
if (script === import.meta.filename && path !== undefined) {
  const log = new FeedbackLog(path);
  for (let i = 0; i < Number(count); i++) {
    log.append([{ kind: 'event', at: i, moment: `${name}`, alternative: i % 60, what: 'shown' }]);
    // Acknowledged only once it is written.
    process.stdout.write(`${i}\n`);
  }
}
