#!/usr/bin/env node
/** `whet` as a process. */
import { runWhet } from './program.ts';
import { makeTerminal } from './terminal.ts';

// Whoever reads our output may stop early (`whet zoo list | head -1`): that is no failure.
process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 1));

process.exitCode = await runWhet(process.argv.slice(2), makeTerminal(process.stdout, process.stderr));
