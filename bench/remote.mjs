// @ts-check
/** Processes of our own that answer one question at a time. */
import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const stderrKept = 2000;

/** WHET_ISA, WHET_VERBOSE and the like would change what is measured; the cache of the zoo is only a place. */
const environment = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('WHET_') || name === 'WHET_CACHE'));

export class Remote {
  /** @param {string} module a file of this folder */
  constructor(module) {
    this.child = fork(fileURLToPath(new URL(module, import.meta.url)), [], {
      serialization: 'advanced',
      execArgv: [],
      env: environment,
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    });
    this.stderr = '';
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
    const answer = new Promise((resolve) => this.child.once('message', resolve));
    /** @type {NodeJS.Timeout | undefined} */
    let timer;
    const timeout = new Promise((_, reject) => {
      timer = setTimeout(() => reject(new Error(`${task}: no answer within ${seconds} s`)), seconds * 1000);
    });
    try {
      if (this.child.connected) this.child.send({ task, payload });
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
    const killer = setTimeout(() => this.child.kill('SIGKILL'), 2000);
    await this.death.catch(() => {});
    clearTimeout(killer);
  }
}
