// @ts-check
/** What the bench needs before it can start: its own dependencies, and Whetstone built from the sources that are there now. */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const bench = fileURLToPath(new URL('.', import.meta.url));
const root = fileURLToPath(new URL('..', import.meta.url));

const { dependencies, optionalDependencies } = readJson(`${bench}package.json`);
/** @type {Readonly<Record<string, string>>} the peers' exact versions */
export const peers = dependencies;

/** @param {(line: string) => void} say @param {Pick<import('./types.ts').Options, 'build' | 'node' | 'parts'>} options */
export function setUp(say, { build, node, parts }) {
  if (!existsSync(`${root}node_modules`)) throw new Error('Whetstone itself is not installed; run `npm ci` first');
  const needed = parts.includes('inference') ? { ...peers, ...(node.length > 0 && process.platform === 'linux' && process.arch === 'x64' && optionalDependencies) } : {};
  const missing = Object.entries(needed).filter(([name, version]) => installed(name) !== version);
  if (missing.length > 0) {
    say(`installing ${missing.map(([name, version]) => `${name} ${version}`).join(', ')} into bench/node_modules (once, about 600 MB) ...`);
    npm(bench, ['ci', '--no-audit', '--no-fund']);
  }
  if (build) {
    say('building Whetstone ...');
    npm(root, ['run', '--silent', 'build']);
  }
  if (!existsSync(`${root}dist/index.js`)) throw new Error('Whetstone is not built; run `npm run build` first');
}

/** @param {string} name */
function installed(name) {
  const file = `${bench}node_modules/${name}/package.json`;
  return existsSync(file) ? readJson(file).version : undefined;
}

/** @param {string} folder @param {string[]} args */
function npm(folder, args) {
  // The npm that started us hands its own `--prefix` and `--silent` down in the environment.
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^npm_config_(local_|global_)?prefix$|^npm_config_loglevel$/i.test(name)));
  const { status, error, stdout, stderr } = spawnSync('npm', args, { cwd: folder, env, encoding: 'utf8', shell: process.platform === 'win32' });
  if (status !== 0) throw new Error(`npm ${args.join(' ')} failed in ${folder}:\n${error?.message ?? `${stdout}${stderr}`.trim()}`);
}

/** @param {string} file */
function readJson(file) {
  return JSON.parse(readFileSync(file, 'utf8'));
}
