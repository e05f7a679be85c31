// @ts-check
/** Processes of our own that answer one question at a time: of Node over its channel, others by lines of JSON. */
import { fork, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { nodeOf } from './nodes.mjs';

const stderrKept = 2000;

/** WHET_ISA, WHET_VERBOSE and the like would change what is measured; the cache of the zoo is only a place. */
const environment = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('WHET_') || name === 'WHET_CACHE'));

/** @typedef {{ child: import('node:child_process').ChildProcess, send(request: object): void, onAnswer(take: (answer: any) => void): void }} Channel */

/**
 * A module of this folder in a process of its own.
 * @param {string} module @param {string} [node] another Node's major version @param {Readonly<Record<string, string>>} [env]
 * @param {number | 'pipe'} [stderr] a file's descriptor, where all of it is wanted
 */
export const forkRemote = (module, node, env, stderr = 'pipe') => {
  const execPath = node ? nodeOf(node)?.path : process.execPath;
  if (!execPath) throw new Error(`Node ${node} is not installed in bench/`);
  const child = fork(fileURLToPath(new URL(module, import.meta.url)), [], {
    serialization: 'advanced',
    execArgv: [],
    execPath,
    env: { ...environment, ...env },
    stdio: ['ignore', 'ignore', stderr, 'ipc'],
  });
  return new Remote({
    child,
    send: (request) => void (child.connected && child.send(request)),
    onAnswer: (take) => child.on('message', take),
  });
};

/**
 * A program that reads requests and writes answers, each a line of JSON.
 * @param {{ readonly command: string, readonly args: readonly string[], readonly env: Readonly<Record<string, string>> }} program
 */
export const spawnRemote = ({ command, args, env }) => {
  const child = spawn(command, args, { env: { ...environment, ...env }, stdio: ['pipe', 'pipe', 'pipe'] });
  child.stdin.on('error', () => {}); // it ended: `death` says so
  return new Remote({
    child,
    send: (request) => void child.stdin.write(`${JSON.stringify(request)}\n`),
    onAnswer: (take) => createInterface(child.stdout).on('line', (line) => take(JSON.parse(line))),
  });
};

export class Remote {
  /** @param {Channel} channel */
  constructor({ child, send, onAnswer }) {
    this.child = child;
    this.send = send;
    this.stderr = '';
    /** @type {((answer: any) => void) | undefined} */
    this.waiting = undefined;
    onAnswer((answer) => this.waiting?.(answer));
    this.child.stderr?.setEncoding('utf8').on('data', (text) => (this.stderr = (this.stderr + text).slice(-stderrKept)));
    /** @type {Promise<never>} */
    this.death = new Promise((_, reject) => {
      this.child.once('error', reject);
      this.child.once('exit', (code, signal) => {
        const last = this.stderr.trim().split('\n').at(-1);
        reject(new Error(`the process ended (${signal ?? `exit code ${code}`})${last ? `: ${last}` : ''}`));
      });
    });
    this.death.catch(() => {});
  }

  /**
   * @param {string} task one of the module's tasks @param {unknown} [payload] @param {number} [seconds] it may take
   * @returns {Promise<any>} @throws Error that the task threw, or that says how the process ended, or that it takes too long.
   */
  async ask(task, payload, seconds = 180) {
    const answer = new Promise((resolve) => (this.waiting = resolve));
    /** @type {NodeJS.Timeout | undefined} */
    let timer;
    const timeout = new Promise((_, reject) => {
      timer = setTimeout(() => reject(new Error(`${task}: no answer within ${seconds} s`)), seconds * 1000);
    });
    try {
      this.send({ task, payload });
      const { error, result } = await Promise.race([answer, this.death, timeout]);
      if (error !== undefined) throw new Error(error);
      return result;
    } finally {
      clearTimeout(timer);
    }
  }

  /** Ends the process, and waits until it is gone so that it disturbs nobody. */
  async end() {
    if (this.child.connected) this.child.disconnect();
    this.child.stdin?.end();
    const killer = setTimeout(() => this.child.kill('SIGKILL'), 2000);
    await this.death.catch(() => {});
    clearTimeout(killer);
  }
}
