/** `whet lab` as it is installed: the printed link in headless Chromium, while another process trains. `npm test` builds both first. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium, type BrowserContext, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openRun, startLab } from '../src/lab/index.ts';
import { whet } from './support/whet.ts';

const built = (path: string) => fileURLToPath(new URL(`../dist/${path}`, import.meta.url));
const executable = [process.env.CHROMIUM, '/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find((path) => path && existsSync(path));

const home = mkdtempSync(join(tmpdir(), 'whet-lab-page-'));
const folder = join(home, 'runs');

/** A process that trains for as long as it lives, with the two lines that a training script needs. */
const script = `
import { nn, optim, tensor } from ${JSON.stringify(built('index.js'))};
import { openRun } from ${JSON.stringify(built('lab/index.js'))};
const run = openRun('training', { folder: ${JSON.stringify(folder)}, config: { lr: 0.02, hidden: 16 } });
const model = new nn.Sequential(new nn.Linear(2, 16), new nn.Tanh(), new nn.Linear(16, 1));
const optimizer = new optim.Adam(model.parameters(), { lr: 0.02 });
const x = tensor([[0, 0], [0, 1], [1, 0], [1, 1]]);
const y = tensor([[0], [1], [1], [0]]);
for (let step = 0; ; step++) {
  optimizer.zeroGrad();
  const loss = nn.functional.mseLoss(model.call(x), y);
  loss.backward();
  optimizer.step();
  run.log({ 'loss/train': loss.item(), epoch: step / 10 }, step);
  await new Promise((resolve) => setTimeout(resolve, 10));
}`;

/** Two runs that are over: one that goes on improving, and one that overfits after step 60. */
function writeFinishedRuns(): void {
  for (const [name, lr] of [['steady', 0.1], ['greedy', 0.4]] as const) {
    const run = openRun(name, { folder, config: { lr, optimizer: { name: 'Adam' } } });
    for (let step = 0; step <= 200; step += 5) {
      const train = Math.exp(-step / 60);
      const validation = name === 'steady' ? train + 0.3 : 0.4 + ((step - 60) / 120) ** 2;
      run.log({ 'loss/train': train, 'loss/validation': validation, 'accuracy/validation': 1 - validation / 2 }, step);
      run.histogram('weights/first', Float32Array.from({ length: 500 }, (_, i) => Math.sin(i) * (1 + step / 100)), step);
    }
    run.image('digits', { width: 8, height: 4, data: Uint8Array.from({ length: 32 }, (_, i) => i * 8) }, 200);
    run.text('answers', 'Call 1230\nResp 1023', 200);
    run.close();
  }
}

test('wrong options and a taken port are told in a sentence', async () => {
  const taken = createServer().listen(0, '127.0.0.1');
  await once(taken, 'listening');
  const { port } = taken.address() as AddressInfo;
  const page = join(home, 'built');
  mkdirSync(page);
  try {
    expect(await whet('lab', '--port', 'x')).toMatchObject({ code: 2, stderr: expect.stringContaining('whole number from 0 to 65535') });
    expect(await whet('lab', '--token', 'short', '--runs', folder)).toMatchObject({ code: 1, stderr: 'error: token: expected at least 8 printable characters without spaces, got 5\n' });
    await expect(startLab({ port, folder, page })).rejects.toThrow('npm run build makes it');
    writeFileSync(join(page, 'index.html'), '');
    await expect(startLab({ port, folder, page })).rejects.toThrow(`port ${port}: expected a free port, got one that something else listens on; --port chooses another`);
  } finally {
    taken.close();
  }
});

if (!existsSync(built('cli/main.js')) || !existsSync(built('lab/page/index.html'))) test.skip('skipped: dist/ is not built (npm run build)');
else if (!executable) test.skip('skipped: no Chromium is installed (Debian: apt install chromium; or CHROMIUM=path)');
else {
  describe('the page of whet lab', () => {
    let [lab, trainer]: ChildProcess[] = [];
    let [context, page]: [BrowserContext?, Page?] = [];
    let link = '';
    const problems: string[] = [];

    beforeAll(async () => {
      writeFinishedRuns();
      lab = spawn(process.execPath, [built('cli/main.js'), 'lab', '--port', '0', '--runs', folder], { stdio: ['ignore', 'pipe', 'inherit'] });
      link = await new Promise((resolve) => {
        let text = '';
        lab.stdout!.on('data', (part: Buffer) => {
          const found = /http:\S+/.exec((text += part.toString()));
          if (found) resolve(found[0]);
        });
      });
      context = await chromium.launchPersistentContext(join(home, 'profile'), {
        executablePath: executable,
        headless: true,
        viewport: { width: 1280, height: 900 },
        args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'],
      });
      page = await context.newPage();
      page.setDefaultTimeout(20_000);
      page.on('pageerror', (error) => problems.push(error.message));
      page.on('console', (message) => message.type() === 'error' && problems.push(message.text()));
    });
    afterAll(async () => {
      trainer?.kill('SIGKILL');
      lab?.kill('SIGKILL');
      await context?.close();
      rmSync(home, { recursive: true, force: true });
    });

    const run = (name: string) => page!.locator('#runs li', { hasText: name });
    const plot = (name: string) => page!.getByRole('region', { name: `Plot of ${name}`, exact: true });
    /** Colours of the runs, of those that a plot has drawn. */
    const drawn = (name: string): Promise<string[]> =>
      plot(name).evaluate((card) => {
        const canvas = card.querySelector('canvas')!;
        const { data } = canvas.getContext('2d')!.getImageData(0, 0, canvas.width, canvas.height);
        const seen = new Set<string>();
        for (let i = 0; i < data.length; i += 4) if (data[i + 3] > 200) seen.add(`${data[i]},${data[i + 1]},${data[i + 2]}`);
        const colourOf = (label: HTMLElement): string => {
          const hex = label.style.getPropertyValue('--run');
          return [1, 3, 5].map((at) => Number.parseInt(hex.slice(at, at + 2), 16)).join(',');
        };
        const labels = [...document.querySelectorAll<HTMLElement>('#runs label[style]')];
        return labels.filter((label) => seen.has(colourOf(label))).map((label) => label.querySelector('.name')!.textContent!);
      });

    test('is refused without the token', async () => {
      await page!.goto(new URL('/', link).href);
      expect(await page!.textContent('body')).toContain('Open the link that whet lab printed');
      expect(problems.splice(0)).toEqual([expect.stringContaining('401')]);
    });

    test('opens by the printed link and overlays runs, overfitting marked', async () => {
      await page!.goto(link);
      await plot('loss').waitFor();
      expect(new URL(page!.url()).search).toBe('');
      await page!.waitForFunction(() => document.querySelectorAll('canvas').length >= 2);
      await expect.poll(() => drawn('loss')).toEqual(expect.arrayContaining(['steady', 'greedy']));
      expect(await run('greedy').textContent()).toContain('overfits since 60');
      expect(await run('steady').textContent()).not.toContain('overfits');
      expect(await plot('loss').textContent()).toContain('greedy overfits since step 60: loss validation rose from 0.4 to');
      expect(await plot('accuracy').textContent()).not.toContain('overfits');
      // Unticked, its curve goes.
      await run('greedy').getByRole('checkbox').click();
      await expect.poll(() => drawn('loss')).toEqual(['steady']);
      await run('greedy').getByRole('checkbox').click();
      await expect.poll(() => drawn('loss')).toHaveLength(2);
    });

    test('shows a run of another process while it trains', async () => {
      writeFileSync(join(home, 'train.mjs'), script);
      trainer = spawn(process.execPath, [join(home, 'train.mjs')], { stdio: ['ignore', 'ignore', 'inherit'] });
      await run('training').getByText('running').waitFor();
      const step = async (): Promise<number> => Number(/step ([\d,]+)/.exec((await run('training').textContent())!)![1].replaceAll(',', ''));
      await expect.poll(step, { timeout: 20_000 }).toBeGreaterThan(5);
      const before = await step();
      await expect.poll(step, { timeout: 20_000 }).toBeGreaterThan(before + 20);
      await expect.poll(async () => (await drawn('loss')).sort()).toEqual(['greedy', 'steady', 'training']);
      await page!.getByRole('radio', { name: 'epoch' }).check({ force: true });
      await expect.poll(() => drawn('loss')).toEqual(['training']);
      await page!.getByRole('radio', { name: 'step' }).check({ force: true });
    });

    test('reads values with the keyboard, and zooms', async () => {
      const canvas = plot('loss').getByRole('img');
      await canvas.focus();
      for (const key of ['Home', 'ArrowRight', 'ArrowRight']) await page!.keyboard.press(key);
      const readout = await plot('loss').getByRole('status').textContent();
      expect(readout).toContain('step 2');
      expect(readout).toContain('training');
      await page!.keyboard.press('+');
      await page!.getByRole('button', { name: 'Show all' }).click();
      await page!.getByRole('button', { name: 'Show all' }).waitFor({ state: 'detached' });
    });

    test('shows histograms, samples and configurations', async () => {
      await page!.getByRole('tab', { name: 'Histograms' }).click();
      const histogram = page!.getByRole('region', { name: 'Histogram of weights/first' });
      expect(await histogram.textContent()).toContain('latest, step 200');
      await histogram.getByRole('img').focus();
      await page!.keyboard.press('ArrowLeft');
      expect(await histogram.textContent()).toContain('step 195');

      await page!.keyboard.press('Escape');
      await page!.getByRole('tab', { name: 'Samples' }).click();
      await page!.getByText('Resp 1023').first().waitFor();
      const picture = page!.getByRole('img', { name: 'digits at step 200' }).first();
      await expect.poll(() => picture.evaluate((image) => (image as HTMLImageElement).naturalWidth)).toBe(8);

      await page!.getByRole('tab', { name: 'Compare' }).click();
      const row = (name: string) => page!.locator('tr', { has: page!.getByRole('rowheader', { name, exact: true }) });
      expect((await row('lr').getByRole('cell').allTextContents()).sort()).toEqual(['0.02', '0.1', '0.4']);
      expect((await row('lowest loss/validation').getByRole('cell').allTextContents()).filter((cell) => cell.startsWith('★'))).toEqual([expect.stringContaining('0.33')]);
    });

    test('says of a run that was killed that it stopped without closing', async () => {
      trainer.kill('SIGKILL');
      await run('training').getByText('stopped without closing').waitFor();
      expect(problems).toEqual([]);
    });

    test('says when the server is gone; Ctrl-C ends it well', async () => {
      const ended = new Promise((resolve) => lab.on('exit', resolve));
      lab.kill('SIGINT');
      expect(await ended).toBe(0);
      await page!.getByText('connection lost, trying again').waitFor();
    });
  });
}
