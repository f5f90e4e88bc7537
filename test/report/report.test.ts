import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { type Browser, chromium } from 'playwright-core';
import { findChromium, noChromium } from '../../scripts/tests/chromium.mjs';
import { closingMeasurement } from '../../server/evaluate/closing.ts';
import { reportRun } from '../../server/protocol/runs.ts';
import { reportPage } from '../../server/report/page.ts';
import { readRunRecord } from '../../server/report/run-record.ts';
import { runSpec, toRunSpec } from '../../server/spec/schema.ts';
import { runFolder } from '../../server/store/run.ts';
import { startRun } from '../../server/train/run/job.ts';
import { cola } from '../cli/cola.ts';
import { engineLine } from '../support/engine-line.ts';
import { stages, tinyBase, writeData } from '../support/runs.ts';

const browserPath = findChromium();
const hostile = '</style><script>document.title="run"</script><img src="http://example.com/x.png" onerror="alert(1)">';

describe('the report of runs', function () {
  this.timeout(120_000);
  let root: string;
  let file: string;

  before(async () => {
    root = mkdtempSync(join(tmpdir(), 'cola-report-'));
    writeData(root);
    const { pretrain, control, clone, grpo } = stages(4);
    const spec = { model: tinyBase, device: 'cpu', threads: 1, seed: 5, stages: [pretrain, control, clone, grpo] };
    const { signal } = new AbortController();
    const specFile = join(root, 'tiny.cola.yaml');
    await startRun({
      root,
      runId: 'tiny',
      spec: toRunSpec(runSpec.parse(spec)),
      specFile,
      signal,
      measure: closingMeasurement,
    });
    // What a model says may be anything.
    const samples = join(runFolder(root, 'tiny'), 'samples.jsonl');
    const lines = readFileSync(samples, 'utf8').trimEnd().split('\n');
    const last = { ...JSON.parse(lines[lines.length - 1]), prompt: hostile, completion: hostile };
    writeFileSync(samples, `${[...lines, JSON.stringify(last)].join('\n')}\n`);
    file = join(root, 'report.html');
    const { code, stderr } = await cola(['report', `${hostile}=tiny`, '--root', root, '--html', file], { cwd: root });
    assert.equal(code, 0, stderr);
  });
  after(() => rmSync(root, { recursive: true, force: true }));

  it('reads a run as it stands on the disk', async () => {
    const record = await readRunRecord(runFolder(root, 'tiny'), 'mine');
    assert.equal(record.label, 'mine');
    assert.equal(record.codes, 8);
    assert.equal(record.steps.length, 16);
    assert(record.measurements.length >= 6);
    assert(record.samples.some(({ actions }) => actions.length > 0));
    assert(record.seconds > 0);
  });

  it('has no table of before and after where no stage has answered anything', async () => {
    const record = await readRunRecord(runFolder(root, 'tiny'));
    const of = (stages: readonly string[]) => {
      const measurements = record.measurements.filter(({ stage }) => stages.includes(stage));
      assert(measurements.length > 0);
      return reportPage({ title: 'tiny', runs: [{ ...record, measurements }], facts: [] });
    };
    // Stages before it measure nothing of the kind.
    for (const page of [of(['reinforce']), of(['pretrain', 'control', 'clone', 'reinforce'])]) {
      assert.match(page, /Before and after[\s\S]*solved, greedy<\/th><td class="n">/);
      assert.match(page, /What was found[\s\S]*greedy accuracy from/);
    }
    const page = of(['pretrain', 'control', 'clone']);
    assert.doesNotMatch(page, /Before and after/);
    assert.match(page, /Curves/);
  });

  it('is written for the editor too, by the engine, where the person wants it', async () => {
    const { engine, channel } = engineLine();
    const own = join(root, 'mine.html');
    await channel.ask(reportRun, { root, run: 'tiny', file: own });
    assert.match(readFileSync(own, 'utf8'), /^<!doctype html>[\s\S]*<h1[^>]*>tiny</i);
    await assert.rejects(channel.ask(reportRun, { root, run: 'none', file: join(root, 'none.html') }), /none/);
    assert.equal(existsSync(join(root, 'none.html')), false);
    await engine.close();
  });

  it('needs no script, no network and no other file, whatever the model says', () => {
    const page = readFileSync(file, 'utf8');
    assert.match(page, /Content-Security-Policy" content="default-src 'none'; style-src 'sha256-/);
    assert(!page.includes('<script'));
    assert(!page.includes('<img'));
    assert.doesNotMatch(page, /<(?:link|iframe|object|embed|form)\b/);
    assert.doesNotMatch(page, /\s(?:href|src|style|on\w+)="/);
  });

  it('says which run is not there', async () => {
    const { code, stderr } = await cola(['report', 'none', '--root', root, '--html', join(root, 'x.html')]);
    assert.equal(code, 2);
    assert.match(stderr, /store\.noRun/);
    assert(!existsSync(join(root, 'x.html')));
  });

  describe('in a browser', () => {
    let browser: Browser | undefined;
    before(async function () {
      if (browserPath === undefined) {
        console.log(`      not tested: ${noChromium}`);
        return this.skip();
      }
      const options = { executablePath: browserPath, args: ['--no-sandbox', '--disable-gpu'] };
      browser = await chromium.launch({ ...options, timeout: 90_000 });
    });
    after(() => browser?.close());

    for (const colorScheme of ['light', 'dark'] as const) {
      it(`opens from the disk, ${colorScheme}, with all its parts and no request`, async () => {
        const page = await browser!.newPage({ colorScheme, viewport: { width: 1200, height: 900 } });
        const requests: string[] = [];
        const complaints: string[] = [];
        page.on('request', (request) => requests.push(request.url()));
        page.on('console', (message) => complaints.push(message.text()));
        page.on('pageerror', (error) => complaints.push(error.message));
        const url = pathToFileURL(file).href;
        await page.goto(url, { timeout: 150_000 });
        assert.deepEqual(requests, [url]);
        assert.deepEqual(complaints, []);
        const headings = await page.locator('h2').allTextContents();
        assert.deepEqual(headings, ['What was found', 'Before and after', 'Curves', 'Samples', 'Codebook', 'Settings']);
        assert.equal(await page.title(), hostile);
        assert((await page.locator('figure.chart svg polyline').count()) > 2);
        assert.equal(await page.locator('.codebook li').count(), 8);
        assert((await page.locator('.chip').count()) > 8);
        const [ground, text] = await page.evaluate(() => {
          const { backgroundColor, color } = getComputedStyle(document.body);
          return [backgroundColor, color];
        });
        const brightness = (rgb: string) =>
          (rgb.match(/\d+/g) ?? []).slice(0, 3).reduce((sum, x) => sum + Number(x), 0);
        assert.equal(brightness(ground) > brightness(text), colorScheme === 'light');
        // The page's policy lets its own style in: a chip has its hue.
        const hue = await page
          .locator('.chip')
          .first()
          .evaluate((chip) => getComputedStyle(chip).backgroundColor);
        assert.notEqual(hue, 'rgba(0, 0, 0, 0)');
        // Nothing sticks out sideways.
        assert(await page.evaluate(() => document.documentElement.scrollWidth <= window.innerWidth));
        await page.close();
      });
    }
  });
});
