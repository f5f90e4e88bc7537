import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Run, runFolder } from '../../server/store/run.ts';
import { crc32c, maskedCrc } from '../../server/store/tensorboard.ts';

interface Point {
  readonly wallTime: number;
  readonly step: number;
  readonly values: Record<string, number>;
}

/** Reads an event file by the published formats, independently of what writes it; every checksum is checked. */
function readEvents(file: string): { version: string | undefined; points: Point[] } {
  const bytes = readFileSync(file);
  const points: Point[] = [];
  let version: string | undefined;
  for (let at = 0; at < bytes.length; ) {
    const length = Number(bytes.readBigUInt64LE(at));
    assert.equal(bytes.readUInt32LE(at + 8), maskedCrc(bytes.subarray(at, at + 8)));
    const data = bytes.subarray(at + 12, at + 12 + length);
    assert.equal(bytes.readUInt32LE(at + 12 + length), maskedCrc(data));
    at += 16 + length;
    const event = fieldsOf(data);
    version ??= (event.get(3)?.[0] as Buffer | undefined)?.toString();
    const summary = event.get(5)?.[0] as Buffer | undefined;
    if (summary === undefined) continue;
    const values = (fieldsOf(summary).get(1) ?? []).map((value) => {
      const fields = fieldsOf(value as Buffer);
      return [String(fields.get(1)?.[0]), bytesOf(fields, 2).readFloatLE()] as const;
    });
    const wallTime = bytesOf(event, 1).readDoubleLE();
    points.push({ wallTime, step: Number(event.get(2)?.[0]), values: Object.fromEntries(values) });
  }
  return { version, points };
}

function bytesOf(fields: ReadonlyMap<number, (number | Buffer)[]>, field: number): Buffer {
  const [value] = fields.get(field) ?? [];
  assert.ok(Buffer.isBuffer(value));
  return value;
}

/** Fields of a protocol buffer by number: numbers for varints, bytes for the rest. */
function fieldsOf(data: Buffer): Map<number, (number | Buffer)[]> {
  const fields = new Map<number, (number | Buffer)[]>();
  let at = 0;
  const varint = () => {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = data[at++];
      value += (byte & 127) * scale;
      if (byte < 128) return value;
    }
  };
  while (at < data.length) {
    const key = varint();
    const wire = key & 7;
    let value: number | Buffer;
    if (wire === 0) value = varint();
    else {
      const size = wire === 1 ? 8 : wire === 5 ? 4 : varint();
      value = data.subarray(at, at + size);
      at += size;
    }
    fields.set(key >> 3, [...(fields.get(key >> 3) ?? []), value]);
  }
  return fields;
}

describe('metrics for other tools', () => {
  let root = '';
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'cola-loggers-'));
  });
  afterEach(() => rmSync(root, { recursive: true, force: true }));

  const eventsIn = (folder: string) => {
    const [name, ...more] = readdirSync(folder).filter((file) => file.includes('tfevents'));
    assert.equal(more.length, 0);
    return join(folder, name);
  };

  it('has the checksums of RFC 3720', () => {
    assert.equal(crc32c(new Uint8Array(32)), 0x8a9136aa);
    assert.equal(crc32c(new Uint8Array(32).fill(0xff)), 0x62a8ab43);
    assert.equal(crc32c(Uint8Array.from({ length: 32 }, (_, i) => i)), 0x46dd794e);
    assert.equal(crc32c(Buffer.from('123456789')), 0xe3069283);
  });

  it('writes points that read back as they were, under the names of TRL', async () => {
    using run = await Run.create(root, 'a', 'model: x\n');
    await run.logTo(['tensorboard', 'csv']);
    const round = { stage: 'reinforce', seconds: 2, reward: 0.5, reward_spread: 0.25, mixed_groups: 0.75, kl: 0.125 };
    run.record({ step: 1, ...round, clipped: 0.5, answer_tokens: 12, finished: 0.25, usage: [1, 2], loss: Number.NaN });
    run.record({ step: 300, stage: 'reinforce', evaluation: true, held_out_loss: 1.5 });
    const { version, points } = readEvents(eventsIn(run.path));
    assert.equal(version, 'brain.Event:2');
    assert.deepEqual(points[0].values, {
      'train/seconds': 2,
      'train/reward': 0.5,
      'train/reward_std': 0.25,
      'train/frac_reward_zero_std': 0.25,
      'train/kl': 0.125,
      'train/clip_ratio': 0.5,
      'train/completions/mean_length': 12,
      'train/completions/clipped_ratio': 0.75,
    });
    assert.deepEqual([points[1].step, points[1].values], [300, { 'eval/loss': 1.5 }]);
    assert.ok(Math.abs(points[0].wallTime - Date.now() / 1000) < 100);
    const rows = readFileSync(join(run.path, 'metrics.csv'), 'utf8').split('\n');
    assert.equal(rows[0], 'step,stage,name,value');
    assert.ok(rows.includes('1,reinforce,train/reward_std,0.25') && rows.includes('300,reinforce,eval/loss,1.5'));
  });

  it('takes lines that anyone may have written: no formula, no line of its own, no tag without end', async () => {
    using run = await Run.create(root, 'a', 'model: x\n');
    run.record({ step: -3, stage: '=cmd|calc', reward: 1 });
    run.record({
      step: 1.5,
      stage: '@SUM(A1)',
      'a",\n=1+1': 2,
      '\u001b[2J': 3,
      ['x'.repeat(1e5)]: 4,
      '../../etc': 5,
    });
    await run.logTo(['tensorboard', 'csv']);
    const { points } = readEvents(eventsIn(run.path));
    assert.deepEqual(points, [
      { wallTime: points[0].wallTime, step: 0, values: { 'train/reward': 1 } },
      {
        wallTime: points[1].wallTime,
        step: 1,
        values: {
          'train/a", =1+1': 2,
          'train/ [2J': 3,
          [`train/${'x'.repeat(200)}`]: 4,
          'train/../../etc': 5,
        },
      },
    ]);
    const rows = readFileSync(join(run.path, 'metrics.csv'), 'utf8').trimEnd().split('\n').slice(1);
    assert.deepEqual(
      rows.map((row) => row.slice(0, 40)),
      [
        "-3,'=cmd|calc,train/reward,1",
        `1.5,'@SUM(A1),"train/a"", =1+1",2`,
        "1.5,'@SUM(A1),train/ [2J,3",
        `1.5,'@SUM(A1),train/${'x'.repeat(20)}`,
        "1.5,'@SUM(A1),train/../../etc,5",
      ],
    );
  });

  it('says after a kill and a step back what metrics.jsonl says', async () => {
    const lines = Array.from({ length: 6 }, (_, i) => ({ step: i, stage: 's', seconds: 1, loss: 1 / (i + 1) }));
    const straight = await Run.create(root, 'straight', 'model: x\n');
    await straight.logTo(['csv', 'tensorboard']);
    for (const line of lines) straight.record(line);
    straight.close();
    const killed = await Run.create(root, 'killed', 'model: x\n');
    await killed.logTo(['csv', 'tensorboard']);
    for (const line of lines.slice(0, 5)) killed.record(line);
    killed.close();
    const resumed = await Run.open(runFolder(root, 'killed'));
    await resumed.truncateMetricsAfter(2);
    await resumed.logTo(['csv', 'tensorboard']);
    for (const line of lines.slice(3)) resumed.record(line);
    resumed.close();
    const [a, b] = [straight, killed].map(({ path }) => ({
      csv: readFileSync(join(path, 'metrics.csv'), 'utf8'),
      points: readEvents(eventsIn(path)).points.map(({ step, values }) => ({ step, values })),
    }));
    assert.deepEqual(b, a);
    assert.equal(a.points.length, 6);
  });

  it('writes nothing that was not asked for', async () => {
    using run = await Run.create(root, 'plain', 'model: x\n');
    await run.logTo([]);
    run.record({ step: 1, loss: 2 });
    assert.deepEqual(
      readdirSync(run.path).filter((name) => /csv|tfevents/.test(name)),
      [],
    );
  });
});
