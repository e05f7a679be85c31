// @ts-check
/**
 * Where PyTorch is: the Python that WHET_BENCH_PYTHON names; else Debian's PyTorch, unpacked into the cache folder and run by its own
 * loader, so that the system stays as it is; else the system's python3.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, symlinkSync } from 'node:fs';
import { mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const suite = 'trixie';
const folder = join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'whetstone-bench');
const root = join(folder, `pytorch-${suite}`);
const libraries = join(root, 'usr/lib/x86_64-linux-gnu');
const choiceFile = join(root, 'blas');
const keyring = '/usr/share/keyrings/debian-archive-keyring.gpg';

/** PyTorch leaves matrix products to a BLAS; the wheels of pytorch.org have MKL, which is not the quickest on every processor. */
const blasLibraries = {
  OpenBLAS: { folder: 'openblas-openmp', preload: [] },
  // Its threads are those of GCC's OpenMP, which PyTorch uses too.
  MKL: { folder: 'mkl', preload: ['libgomp.so.1'] },
};
const packages = ['python3-torch', 'libopenblas0-openmp', ...['rt', 'core', 'intel-lp64', 'gnu-thread', 'def', 'avx2', 'avx512'].map((part) => `libmkl-${part}`)];

/** @typedef {{ readonly command: string, readonly args: readonly string[], readonly env: Readonly<Record<string, string>> }} Program */

const script = (/** @type {string} */ name) => fileURLToPath(new URL(name, import.meta.url));

/** How the peer is started. @returns {Program} */
export function pytorch() {
  const python = process.env.WHET_BENCH_PYTHON;
  if (python || !existsSync(choiceFile)) return { command: python || 'python3', args: [script('peer.py')], env: {} };
  return unpacked(/** @type {keyof typeof blasLibraries} */ (readFileSync(choiceFile, 'utf8')), script('peer.py'));
}

/** @param {keyof typeof blasLibraries} blas @param {string} file @returns {Program} */
function unpacked(blas, file) {
  const { folder: own, preload } = blasLibraries[blas];
  const python = readdirSync(join(root, 'usr/bin')).find((name) => /^python3\.\d+$/.test(name));
  return {
    command: join(libraries, 'ld-linux-x86-64.so.2'),
    args: [
      ...['--library-path', [join(libraries, own), libraries].join(':')],
      ...preload.flatMap((name) => ['--preload', join(libraries, name)]),
      ...[join(root, `usr/bin/${python}`), file],
    ],
    env: { PYTHONHOME: join(root, 'usr'), PYTHONNOUSERSITE: '1', PYTHONDONTWRITEBYTECODE: '1', MKL_THREADING_LAYER: 'GNU', MKL_INTERFACE_LAYER: 'LP64' },
  };
}

/** Fetches PyTorch where it is not there yet and Debian's tools are. What goes wrong is said; a python3 may have it all the same. @param {(line: string) => void} say */
export async function setUpPytorch(say) {
  if (process.env.WHET_BENCH_PYTHON || existsSync(choiceFile)) return;
  if (process.platform !== 'linux' || process.arch !== 'x64' || !existsSync(keyring) || !existsSync('/usr/bin/apt-get')) {
    say("no Debian tools for x86-64 here to fetch PyTorch with; its tests run with python3's, or that of WHET_BENCH_PYTHON");
    return;
  }
  const making = `${root}.${process.pid}`;
  try {
    await mkdir(making, { recursive: true });
    const files = await fetchPackages(making, say);
    await unpack(files, making);
    await rm(root, { recursive: true, force: true });
    await rename(making, root);
    await writeFile(choiceFile, quickestBlas(say));
  } catch (error) {
    say(`PyTorch could not be fetched: ${error instanceof Error ? error.message : error}; python3's is tried`);
  } finally {
    await rm(making, { recursive: true, force: true });
  }
}

/** Debian's archive read by its own client, which checks signatures, with no other state than a folder's. @param {string} into @param {(line: string) => void} say */
async function fetchPackages(into, say) {
  const apt = join(into, 'apt');
  for (const part of ['etc/preferences.d', 'etc/apt.conf.d', 'etc/trusted.gpg.d', 'state/lists/partial', 'cache/archives/partial']) await mkdir(join(apt, part), { recursive: true });
  await writeFile(join(apt, 'status'), '');
  await writeFile(join(apt, 'etc/sources.list'), `deb [signed-by=${keyring}] http://deb.debian.org/debian ${suite} main non-free\n`);
  const settings = [
    ['Dir', `${apt}/`],
    ['Dir::Etc', `${apt}/etc/`],
    ['Dir::State', `${apt}/state/`],
    ['Dir::State::status', `${apt}/status`],
    ['Dir::Cache', `${apt}/cache/`],
    ['APT::Architecture', 'amd64'],
    ['APT::Install-Recommends', 'false'],
    ['APT::Sandbox::User', ''],
    ['Acquire::Languages', 'none'],
  ];
  await writeFile(join(apt, 'apt.conf'), settings.map(([name, value]) => `${name} "${value}";\n`).join(''));
  const env = { ...process.env, APT_CONFIG: join(apt, 'apt.conf'), LC_ALL: 'C' };
  run('apt-get', ['update'], env);
  const list = run('apt-get', ['install', '--yes', '--print-uris', ...packages], env);
  const bytes = [...list.matchAll(/^'\S+' \S+ (\d+) /gm)].reduce((sum, [, size]) => sum + Number(size), 0);
  say(`fetching PyTorch from Debian ${suite} into ${root}: ${Math.round(bytes / 1e6)} MB, 1.2 GB unpacked (once) ...`);
  run('apt-get', ['install', '--yes', '--download-only', ...packages], env);
  const archives = join(apt, 'cache/archives');
  return (await readdir(archives)).filter((name) => name.endsWith('.deb')).map((name) => join(archives, name));
}

/** Contents of packages alone: none of their scripts is run. @param {readonly string[]} files @param {string} into */
async function unpack(files, into) {
  for (const name of ['bin', 'sbin', 'lib', 'lib64']) {
    await mkdir(join(into, 'usr', name), { recursive: true });
    symlinkSync(`usr/${name}`, join(into, name));
  }
  for (const file of files) run('sh', ['-c', 'dpkg-deb --fsys-tarfile "$1" | tar -x --keep-directory-symlink --no-same-owner -C "$2"', 'sh', file, into]);
  await rm(join(into, 'apt'), { recursive: true });
}

/** The BLAS whose products are quicker on this machine, by a second of each. @param {(line: string) => void} say */
function quickestBlas(say) {
  const names = /** @type {(keyof typeof blasLibraries)[]} */ (Object.keys(blasLibraries));
  const measured = names.map((name) => {
    const { command, args, env } = unpacked(name, script('gemm.py'));
    return { name, us: Number(run(command, args, { ...process.env, ...env })) };
  });
  say(`its BLAS, by microseconds for a GRU's products: ${measured.map(({ name, us }) => `${name} ${us.toFixed(0)}`).join(', ')}`);
  return measured.reduce((best, one) => (one.us < best.us ? one : best)).name;
}

/** @param {string} command @param {readonly string[]} args @param {NodeJS.ProcessEnv} [env] */
function run(command, args, env = process.env) {
  const { status, error, stdout, stderr } = spawnSync(command, args, { env, encoding: 'utf8', maxBuffer: 2 ** 26 });
  if (status !== 0) throw new Error(`${command} ${args.join(' ')}: ${error?.message ?? stderr.trim().split('\n').at(-1)}`);
  return stdout;
}
