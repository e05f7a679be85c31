/** `whet` as it is installed: the built program in a process of its own. `npm test` builds it first. */
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { temporaryFolder, writeColourModel } from '../support/whet.ts';

const main = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));
const writer = new URL('../../dist/cli/write-file.js', import.meta.url).href;
const folder = temporaryFolder();
const model = join(folder.path, 'colours.onnx');
const run = (...args: string[]) => spawnSync(process.execPath, [main, ...args], { encoding: 'utf8' });

if (!existsSync(main)) test.skip('skipped: dist/ is not built (npm run build)');
else {
  beforeAll(() => writeColourModel(model));
  afterAll(() => folder.remove());

  describe('the process', () => {
    test('ends by itself when it is done, workers and all', () => {
      const { status, stdout, stderr } = run('bench', model, '--seconds', '0.01', '--json');
      expect({ status, stderr }).toEqual({ status: 0, stderr: `measuring ${model}: 0 s\n` });
      expect(JSON.parse(stdout)).toMatchObject({ batch: 1 });
    });

    test('exit codes: 0 done, 1 failed, 2 wrong usage', () => {
      expect([run('--version').status, run('--help').status]).toEqual([0, 0]);
      expect([run('convert', main, '--to', 'onnx', '-o', 'x').status, run('zoo', 'info', 'nothing').status]).toEqual([1, 1]);
      expect([run('zap').status, run('bench').status, run('bench', model, '--threads', 'x').status]).toEqual([2, 2, 2]);
    });

    test('is executable by itself', () => {
      expect(readFileSync(main, 'utf8').split('\n')[0]).toBe('#!/usr/bin/env node');
    });

    test('whoever reads the output may stop early', () => {
      const { status, stderr } = spawnSync('bash', ['-c', `set -o pipefail; "${process.execPath}" "${main}" zoo list | true`], { encoding: 'utf8' });
      expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    });

    test('interrupted while it writes, leaves nothing', async () => {
      const output = join(folder.path, 'out.bin');
      const script = `
        import { writeWhole } from ${JSON.stringify(writer)};
        function* endless() {
          const part = new Uint8Array(1000);
          for (let i = 0; ; i++) {
            if (i === 10) process.stdout.write('writing');
            yield part;
          }
        }
        await writeWhole([{ path: ${JSON.stringify(output)}, parts: endless() }]);`;
      const child = spawn(process.execPath, ['--input-type=module', '-e', script]);
      const ended = new Promise((resolve) => child.on('exit', (_code, by) => resolve(by)));
      await new Promise((resolve) => child.stdout.once('data', resolve));
      expect(readdirSync(folder.path).filter((name) => name.includes('out.bin'))).toEqual([expect.stringMatching(/^\.out\.bin\..*\.part$/)]);
      child.kill('SIGINT');
      expect(await ended).toBe('SIGINT');
      expect(readdirSync(folder.path).filter((name) => name.includes('out.bin'))).toEqual([]);
    });
  });
}
