/** Workers in tests, reached by carriers that see what is sent to whom. */
import type { Carrier, Link } from '../../server/cluster/carrier.ts';
import type { Outgoing } from '../../server/cluster/frames.ts';

/** What a message asks for. */
export const kindOf = ({ pieces }: Outgoing): string =>
  (JSON.parse(Buffer.from(pieces[1]).toString('utf8')) as { kind: string }).kind;

/** A carrier whose requests are seen as they are sent. */
export function watched(inner: Carrier, sent: (kind: string, link: Link) => void): Carrier {
  return {
    identity: inner.identity,
    async start(worker) {
      const link = await inner.start(worker);
      return {
        hello: link.hello,
        call(message, mostFloats) {
          const answer = link.call(message, mostFloats);
          sent(kindOf(message), link);
          return answer;
        },
        end: () => link.end(),
      };
    },
    close: () => inner.close(),
  };
}
