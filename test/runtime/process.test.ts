/** Whole processes: the pool never keeps one alive, a pending run does, and threads that fail are errors, not hangs. */
import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { surveyIsas } from '../../src/devices/cpu/runtime/index.ts';

const usable = surveyIsas().filter(({ usable }) => usable).map(({ isa }) => isa);
const root = fileURLToPath(new URL('../../', import.meta.url));
const workerFile = `${root}src/devices/cpu/runtime/worker.js`;
let folder: string;

// A bundle instead of dist/: needs no build first, and shows that bundles work when worker.js is beside them. Within
// node_modules, so that koffi is found.
beforeAll(async () => {
  folder = mkdtempSync(`${root}node_modules/.whetstone-`);
  await build({
    stdin: {
      resolveDir: fileURLToPath(new URL('.', import.meta.url)),
      loader: 'ts',
      contents: `export * from '../../src/devices/cpu/runtime/index.ts'; export * from './kernels.ts';`,
    },
    bundle: true,
    format: 'esm',
    platform: 'node',
    outfile: `${folder}/runtime.mjs`,
    logLevel: 'silent',
  });
  copyFileSync(workerFile, `${folder}/worker.js`);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Runs a program whose code may use `make(steps, tasks, rounds)`, an execution that keeps cores busy. */
function node(code: string, env: Record<string, string> = {}, within = folder) {
  const file = `${within}/program-${Math.random().toString(36).slice(2)}.mjs`;
  writeFileSync(
    file,
    `import { busyKernel, getRuntime, RuntimeError, view } from './runtime.mjs';
     const runtime = getRuntime();
     const make = (steps, tasks, rounds) => {
       const code = runtime.load([busyKernel(runtime.isa, rounds)]);
       const step = { kernel: 0, tasks, args: [{ arena: 0 }], label: { op: 'busy', name: 'n', shapes: '1x2', layout: 'nchw', epilogue: 'relu' } };
       return runtime.createExecution(code, Array(steps).fill(step), 4096);
     };
     ${code}`,
  );
  const started = performance.now();
  // WHET_ISA and the like of whoever runs the tests must not leak in.
  const { PATH } = process.env;
  const { status, signal, stdout, stderr } = spawnSync(process.execPath, [file], { encoding: 'utf8', timeout: 50_000, env: { PATH, ...env } });
  return { status, signal, stdout, stderr, seconds: (performance.now() - started) / 1000 };
}

describe.each(usable)('on %s', (isa) => {
  const env = { WHET_ISA: isa, WHET_THREADS: '2' };

  test('a process ends by itself after synchronous and asynchronous runs', () => {
    const ended = node(
      `const execution = make(10, 8, 1000);
       execution.run(); await execution.runAsync(); await execution.runAsync(3); execution.run(4);
       console.log('ran');`,
      env,
    );
    expect(ended).toMatchObject({ status: 0, stdout: 'ran\n', stderr: '' });
  });

  test('a pending asynchronous run keeps it alive', () => {
    const ended = node(
      `make(1, 1, 1).run();
       make(50, 8, 1_000_000).runAsync().then(() => make(3, 1, 10).runAsync(1)).then(() => console.log('done'));`,
      env,
    );
    expect(ended).toMatchObject({ status: 0, stdout: 'done\n', stderr: '' });
  });

  test('asynchronous runs on one thread each go side by side', () => {
    const ended = node(
      `const long = make(300, 8, 1_000_000).runAsync(1).then(() => console.log('long'));
       const short = make(1, 8, 1000).runAsync(1).then(() => console.log('short'));
       await short; console.log('exit'); process.exit();`,
      env,
    );
    expect(ended).toMatchObject({ status: 0, stdout: 'short\nexit\n', stderr: '' });
  });

  test('it may be ended while its threads start', () => {
    for (const milliseconds of [10, 25, 35, 45, 60]) {
      const ended = node(`make(10, 8, 1000).runAsync(); setTimeout(() => process.exit(7), ${milliseconds});`, env);
      expect(ended).toMatchObject({ status: 7, stdout: '', stderr: '' });
    }
  });

  test('it may be ended in the middle of a run', () => {
    const ended = node(
      `make(100000, 8, 100_000).runAsync(); setTimeout(() => { console.log('exit'); process.exit(7); }, 200);`,
      env,
    );
    expect(ended).toMatchObject({ status: 7, stdout: 'exit\n', stderr: '' });
    expect(ended.seconds).toBeLessThan(30);
  });

  test('each worker thread of the user has a pool of its own', () => {
    const ended = node(
      `import { isMainThread, Worker, parentPort } from 'node:worker_threads';
       const execution = make(20, 8, 1000);
       if (isMainThread) {
         const workers = [0, 1].map(() => new Worker(new URL(import.meta.url)));
         execution.run();
         await Promise.all(workers.map((worker) => new Promise((resolve, reject) => { worker.on('exit', resolve); worker.on('error', reject); worker.on('message', (text) => console.log(text)); })));
       } else {
         execution.run(); await execution.runAsync();
         parentPort.postMessage('ran');
       }`,
      env,
    );
    expect(ended).toMatchObject({ status: 0, stdout: 'ran\nran\n', stderr: '' });
  });

  test('WHET_VERBOSE prints a line for each step, WHET_DUMP writes the code', () => {
    const dump = `${folder}/dump-${isa}`;
    const ended = node(`const execution = make(2, 4, 10); execution.run(); await execution.runAsync(1);`, {
      ...env,
      WHET_VERBOSE: '1',
      WHET_DUMP: dump,
    });
    expect(ended.status).toBe(0);
    const lines = ended.stderr.trim().split('\n');
    expect(lines).toHaveLength(4);
    for (const line of lines) expect(line).toMatch(new RegExp(`^whet,exec,${isa},busy,n,1x2,nchw,relu,[12],\\d+\\.\\d{4}$`));
    const files = readdirSync(dump);
    if (isa === 'wasm') {
      expect(files).toEqual(['000-0-busy10.txt', '000-program.wasm']);
      expect(WebAssembly.validate(readFileSync(`${dump}/000-program.wasm`))).toBe(true);
    } else {
      expect(files).toEqual(['000-0-busy10.bin', '000-0-busy10.txt', '000-program.bin']);
      const kernel = readFileSync(`${dump}/000-0-busy10.bin`);
      expect(kernel.length).toBeGreaterThan(16);
      expect(readFileSync(`${dump}/000-program.bin`).includes(kernel)).toBe(true);
    }
    expect(readFileSync(`${dump}/000-0-busy10.txt`, 'utf8')).toMatch(new RegExp(`^kernel busy10\\(.*for ${isa}\n`));
  });
});

test('no thread is started for runs on one', () => {
  const ended = node(
    `make(5, 8, 10).run(1); make(5, 1, 10).run(8);
     console.log(process.report.getReport().workers.length);`,
  );
  expect(ended).toMatchObject({ status: 0, stdout: '0\n' });
});

test('bad environment variables are named', () => {
  const ended = node('', { WHET_THREADS: 'four' });
  expect(ended.status).toBe(1);
  expect(ended.stderr).toContain('WHET_THREADS: expected a whole number, 1 to 256, got "four"');
});

describe('threads that fail', () => {
  /** The bundle beside another worker.js. */
  function withWorker(source: string | undefined, code: string) {
    const other = mkdtempSync(`${folder}/`);
    copyFileSync(`${folder}/runtime.mjs`, `${other}/runtime.mjs`);
    if (source !== undefined) writeFileSync(`${other}/worker.js`, source);
    expect(existsSync(`${other}/worker.js`)).toBe(source !== undefined);
    return node(code, { WHET_ISA: 'wasm' }, other);
  }
  const report = `catch (error) { console.log(error instanceof RuntimeError, error.message); }`;

  test('a missing worker.js is told at once', () => {
    const ended = withWorker(undefined, `try { make(1, 8, 10).run(2); } ${report} try { await make(1, 8, 10).runAsync(2); } ${report} make(1, 8, 10).run(1);`);
    expect(ended.status).toBe(0);
    expect(ended.stdout.split('\n').slice(0, 2)).toEqual(Array(2).fill(expect.stringMatching(/^true a thread of the pool could not be started: .*worker.js is missing/)));
  });

  test('one that cannot start rejects the run', () => {
    const ended = withWorker('throw new Error("no luck");', `try { await make(1, 8, 10).runAsync(2); } ${report}`);
    expect(ended).toMatchObject({ status: 0 });
    expect(ended.stdout).toMatch(/^true a thread of the pool could not start: no luck/);
  });

  test('one that ends in a run rejects this run, those queued and those after', () => {
    const source = readFileSync(workerFile, 'utf8').replace('worker.run(receive', 'process.exit(3); worker.run(receive');
    const ended = withWorker(
      source,
      `const execution = make(3, 8, 10);
       const runs = [execution.runAsync(2), execution.runAsync(2), make(1, 8, 10).runAsync(2)];
       for (const run of runs) try { await run; } ${report}
       try { execution.run(1); } ${report}
       make(3, 8, 10).run(1);
       console.log('alone it works');`,
    );
    expect(ended).toMatchObject({ status: 0 });
    expect(ended.stdout).toMatch(/^(true a thread of the pool ended: it ended with code 3: WHET_THREADS=1 .*\n){4}alone it works\n$/);
  });
});
