/** `whet zoo`: the pretrained models, photos and datasets there are, and fetching them. */
import type { Command } from 'commander';
import { cacheFolder, zoo, type ZooEntry, zooEntry, zooHas } from '../../zoo/index.ts';
import { fetchEntry, sizeOfEntry } from '../load.ts';
import { addVerb, type CommonOptions, offlineOption, printJson } from '../options.ts';
import { columns, formatBytes, type Terminal } from '../terminal.ts';

export function addZoo(program: Command, terminal: Terminal): void {
  const verb = program
    .command('zoo')
    .summary('list, describe and fetch pretrained models and datasets')
    .description('list, describe and fetch pretrained models and datasets')
    .addHelpText('after', '\nExamples:\n  $ whet zoo list\n  $ whet zoo get resnet50');
  addVerb(verb, 'list', 'list what there is', ['whet zoo list', 'whet zoo list --json']).action((options: CommonOptions) => list(options, terminal));
  addVerb(verb, 'info <name>', 'say where an entry comes from and what input it expects', ['whet zoo info resnet50']).action(
    (name: string, options: CommonOptions) => info(name, options, terminal),
  );
  addVerb(verb, 'get <name...>', 'fetch entries, once; they are kept', ['whet zoo get resnet50 samples'])
    .addOption(offlineOption())
    .action((names: string[], options: CommonOptions & { offline?: boolean }) => get(names, options, terminal));
}

const rowOf = async (name: string, entry: ZooEntry) => ({
  name,
  kind: entry.kind,
  format: entry.format,
  licence: entry.licence,
  bytes: sizeOfEntry(entry),
  cached: await zooHas(name, entry),
  summary: entry.summary,
});

async function list({ json }: CommonOptions, terminal: Terminal): Promise<void> {
  const rows = await Promise.all(Object.entries(zoo).map(([name, entry]) => rowOf(name, entry)));
  if (json) return printJson(terminal, rows);
  const { style } = terminal;
  const lines = columns(
    rows.map(({ name, kind, format, licence, bytes, cached }) => [name, kind, format, licence, formatBytes(bytes), cached ? 'here' : '']),
    '    >',
  );
  rows.forEach(({ name, summary }, i) => {
    terminal.print(`${style.strong(name)}${lines[i].slice(name.length).trimEnd()}`);
    terminal.print(`  ${style.faint(summary)}`);
  });
}

async function info(name: string, { json }: CommonOptions, terminal: Terminal): Promise<void> {
  const entry = zooEntry(name);
  const row = await rowOf(name, entry);
  const sources = entry.sources.map(({ package: from, version, integrity, bytes }) => ({ package: from, version, integrity, bytes }));
  if (json) return printJson(terminal, { ...row, sources, input: entry.input ?? null });
  const { style } = terminal;
  terminal.print(`${style.strong(name)}  ${row.summary}`);
  const recipe = entry.input?.recipe;
  const rows = [
    ['kind', `${row.kind}, ${row.format}`],
    ['licence', row.licence],
    ...sources.map((source) => ['from', `${source.package}@${source.version}, ${formatBytes(source.bytes)}`]),
    ...(entry.input && recipe
      ? [
          ['input', `[${entry.input.shape.join(', ')}], ${recipe.order}, ${recipe.layout}`],
          ['values', `(sample x ${round(recipe.scale)} - ${recipe.mean.join(', ')}) / ${recipe.std.join(', ')}`],
          ['fit', Object.entries(recipe.fit).map(([key, value]) => (key === 'mode' ? value : `${key} ${value}`)).join(', ')],
        ]
      : []),
    ['here', row.cached ? `yes, in ${cacheFolder()}` : `no; whet zoo get ${name}`],
  ];
  for (const line of columns(rows)) terminal.print(`  ${line}`);
}

const round = (value: number): number => Number(value.toPrecision(4));

async function get(names: readonly string[], { json, offline }: CommonOptions & { offline?: boolean }, terminal: Terminal): Promise<void> {
  // A wrong name is told before anything is fetched.
  names.forEach(zooEntry);
  const results = [];
  for (const name of names) {
    const { path, folder, cached, entry } = await fetchEntry(name, terminal, { offline });
    results.push({ name, path, folder, cached, bytes: sizeOfEntry(entry) });
    if (!json) terminal.print(path);
  }
  if (json) printJson(terminal, results);
}
