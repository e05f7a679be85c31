/** `whet lab`: a page that shows runs as they train. */
import type { Command } from 'commander';
import { startLab } from '../../lab/index.ts';
import { addVerb, type CommonOptions, printJson, wholeNumber } from '../options.ts';
import type { Terminal } from '../terminal.ts';

interface Options extends CommonOptions {
  readonly port: number;
  readonly host: string;
  readonly runs: string;
  readonly token?: string;
}

export function addLab(program: Command, terminal: Terminal): void {
  addVerb(program, 'lab', 'show runs as they train, on a page in the browser', ['whet lab', 'whet lab --runs experiments --port 9000', 'whet lab --token "$(cat token)" --json'])
    .option('--port <n>', 'port to listen on; 0 takes any that is free', wholeNumber(0, 65_535), 8888)
    .option('--host <address>', 'address to listen at; 0.0.0.0 lets other machines in', '127.0.0.1')
    .option('--runs <folder>', 'where runs are kept', 'runs')
    .option('--token <text>', 'what the link ends in, at least 8 characters (default: a random one)')
    .action((options: Options) => lab(options, terminal));
}

/** Serves until it is interrupted. */
async function lab({ port, host, runs, token, json }: Options, terminal: Terminal): Promise<void> {
  const server = await startLab({ port, host, folder: runs, token });
  if (json) printJson(terminal, { url: server.url, port: server.port, token: server.token, folder: server.folder });
  else {
    terminal.print(`Shows runs of ${server.folder} at`);
    terminal.print(`\n  ${terminal.style.accent(server.url)}\n`);
    terminal.print(terminal.style.faint('Ctrl-C stops the page; what trains goes on.'));
  }
  await new Promise<void>((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => resolve());
  });
  await server.close();
}
