/** The requests of the tree explorer's page, answered by whoever answers those of the server. */

import type { ParamsOf, RequestType, ResultOf } from '../../server/protocol/channel/request.ts';
import * as protocol from '../../server/protocol/index.ts';
import type { PageHost } from '../../src/panels/page-host.ts';

export type Ask = <T extends RequestType>(type: T, params: ParamsOf<T>) => Promise<ResultOf<T>>;

/** @returns what the page asked for beyond the search: texts inserted and copied, files written */
export function answerTree(host: PageHost, key: protocol.SearchKey, ask: Ask): string[] {
  const done: string[] = [];
  host.answer(protocol.treeReady, async () => {
    const search = await ask(protocol.describeSearch, key);
    const subject = { key, draft: { prompt: '', row: {}, language: '' } };
    return { subject, search, event: null, canTune: search.world === null };
  });
  for (const [asked, verb] of protocol.searchVerbs) {
    host.answer(asked, (params) => ask(verb, { ...key, ...(params as object) }));
  }
  const note = (text: string) => {
    done.push(text);
    return Promise.resolve({});
  };
  host.answer(protocol.treeInsert, ({ text }) => note(`insert ${text}`));
  host.answer(protocol.treeCopy, ({ text }) => note(`copy ${text}`));
  host.answer(protocol.treeRead, ({ node }) => note(`read ${node}`));
  host.answer(protocol.treeTune, ({ node }) => note(`tune ${node}`));
  host.answer(protocol.treeExport, (params) => note(params.format === 'svg' ? params.text : params.format));
  return done;
}
