/** An engine that was started for a folder without trust: whoever asks it, it uses nothing of that folder. */
import assert from 'node:assert/strict';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Engine } from '../../server/engine/engine.ts';
import { ColaError } from '../../server/errors.ts';
import { EngineLink } from '../../server/language/engine/link.ts';
import { Channel } from '../../server/protocol/channel/channel.ts';
import { trustedFor } from '../../server/protocol/channel/trust.ts';
import { evaluate } from '../../server/protocol/evaluate.ts';
import * as protocol from '../../server/protocol/index.ts';
import { loadModel } from '../../server/protocol/model.ts';
import { ping } from '../../server/protocol/status.ts';
import { program } from '../support/bundled.ts';
import { makeModel, makeSpec, removeFolder, temporaryFolder } from './tiny-model.ts';

const isUntrusted = (error: unknown) => error instanceof ColaError && error.id === 'engine.untrusted';

describe('an engine for a folder that is not trusted', () => {
  let folder = '';
  let model = '';
  before(async () => {
    folder = await temporaryFolder();
    model = await makeModel(join(folder, 'model'));
    await makeSpec(folder, model, 2);
  });
  after(() => removeFolder(folder));

  it('refuses every request that needs trust, before it looks at what is asked', async () => {
    const channel: Channel = new Channel({
      send: (message) => engine.receive(JSON.parse(JSON.stringify(message))),
      log() {},
    });
    const engine = new Engine((message) => channel.receive(JSON.parse(JSON.stringify(message))), false);
    const all = Object.values<unknown>({ ...protocol }).filter(
      (value): value is protocol.RequestType => typeof value === 'object' && value !== null && 'result' in value,
    );
    const needy = all.filter(({ method }) => trustedFor(method) !== undefined);
    assert.ok(needy.length > 20, `${needy.length}`);
    for (const type of needy) await assert.rejects(channel.ask(type, {} as never), isUntrusted, type.method);
    await assert.rejects(channel.ask(loadModel, { folder: model, device: 'cpu' }), isUntrusted);
    await engine.close();
  });

  it('lets its files have no say in completion, which one that is trusted does', async function () {
    this.timeout(60_000);
    const box = join(import.meta.dirname, '../../assets/nano');
    writeFileSync(join(folder, 'port.ts'), "const harbourMaster = berthLedger.assign(vesselId, 'quay-7');\n");
    const asked = {
      prefix: 'const harbourMaster = berth',
      project: { root: folder, document: join(folder, 'new.ts') },
    };
    let asks = 0;
    for (const trusted of [true, false]) {
      const channel: Channel = new Channel({
        send: (message) => engine.receive(JSON.parse(JSON.stringify(message))),
        log() {},
      });
      const engine = new Engine((message) => channel.receive(JSON.parse(JSON.stringify(message))), trusted);
      try {
        await channel.ask(loadModel, { folder: box, device: 'cpu', threads: 1 });
        const begun = async () =>
          (await channel.ask(protocol.complete, asked)).alternatives[0]?.text.startsWith('Ledger.assign') === true;
        // They are read meanwhile: one that reads none is asked more often than the one that did.
        if (trusted) while (!(await begun())) asks++;
        else for (let i = 0; i < asks + 5; i++) assert.ok(!(await begun()));
      } finally {
        await engine.close();
      }
    }
  });

  it('is started as one, opens no device for a measurement, and loads the model in the box', async function () {
    this.timeout(60_000);
    const link = new EngineLink({ file: program('engine') }, { log() {}, exit() {} }, { trusted: false });
    try {
      const asked = { folder: model, root: folder, measures: ['cost'] as const, device: 'no such device' };
      await assert.rejects(link.ask(evaluate, { ...asked, measures: ['cost'] }), isUntrusted);
      await assert.rejects(link.ask(loadModel, { folder: model, device: 'cpu' }), isUntrusted);
      assert.equal(existsSync(join(folder, '.cola')), false);
      const box = join(import.meta.dirname, '../../assets/nano');
      if (existsSync(join(box, 'model.safetensors')))
        assert.equal((await link.ask(loadModel, { folder: box, device: 'cpu', threads: 1 })).folder, box);
      assert.equal((await link.ask(ping, {})).lane, null);
    } finally {
      await link.close(20);
    }
  });
});
