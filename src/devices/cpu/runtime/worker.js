// @ts-check
/**
 * One thread of the pool: waits for commands in its mailbox and runs them. Plain JavaScript, so that it starts from src/ as
 * well as from dist/, in Node and in browsers. mailbox.ts describes the mailbox's words and the messages.
 *
 * @typedef {import('./mailbox.ts').WorkerData} WorkerData
 * @typedef {import('./mailbox.ts').Message} Message
 * @typedef {import('./mailbox.ts').CodePayload} CodePayload
 * @typedef {{ serial(context: number): void, parallel(context: number, thread: number, resume: number): number }} Code
 */

/** @param {WorkerData} data */
function createWorker(data) {
  const { mailbox, states, results } = data;
  const words = new Int32Array(data.control);
  const doubles = new Float64Array(data.control);
  const mine = data.index * mailbox.words;
  /** @type {Map<number, { payload: CodePayload, code?: Code }>} */
  const codes = new Map();
  let seen = 0;

  /** @param {unknown} error */
  const writeError = (error) => {
    const room = (mailbox.words - mailbox.text) * 4;
    const text = new TextEncoder().encode(error instanceof Error ? error.message : String(error)).subarray(0, room);
    new Uint8Array(data.control, (mine + mailbox.text) * 4, room).set(text);
    words[mine + mailbox.textBytes] = text.length;
  };

  /** @param {number} wake the word that the run's threads sleep on */
  const wakeAll = (wake) => {
    Atomics.add(words, wake, 1);
    Atomics.notify(words, wake);
  };

  /**
   * Linking native code goes through koffi, which ends the whole process if its thread is ended meanwhile (koffi 3.3): the owner
   * waits for it before it exits, and what has not begun by then never does.
   *
   * @param {CodePayload} payload
   */
  const linkSafely = (payload) => {
    Atomics.store(words, mine + mailbox.linking, 1);
    try {
      if (Atomics.load(words, mine + mailbox.closing) === 0) return link(payload);
    } finally {
      Atomics.store(words, mine + mailbox.linking, 0);
      Atomics.notify(words, mine + mailbox.linking);
    }
    Atomics.wait(words, mine + mailbox.closing, 1);
    throw new Error('the process is ending');
  };

  /** @returns {number} one of `results` */
  const execute = () => {
    const entry = codes.get(words[mine + mailbox.code]);
    if (!entry) throw new Error(`code ${words[mine + mailbox.code]} was never sent to this thread`);
    const code = (entry.code ??= entry.payload.kind === 'native' ? linkSafely(entry.payload) : link(entry.payload));
    const context = doubles[(mine + mailbox.context) >> 1];
    if (!words[mine + mailbox.parallel]) {
      code.serial(context);
      return results.done;
    }
    const thread = words[mine + mailbox.thread];
    const wake = words[mine + mailbox.gang] + mailbox.wake;
    // Read before the code runs: a thread that is woken between its return and its sleep does not fall asleep.
    let wakes = Atomics.load(words, wake);
    let outcome = code.parallel(context, thread, 0);
    while (outcome === data.outcome.sleep || outcome === data.outcome.wake) {
      if (outcome === data.outcome.wake) wakeAll(wake);
      else Atomics.wait(words, wake, wakes, data.sleepMs);
      wakes = Atomics.load(words, wake);
      outcome = code.parallel(context, thread, outcome);
    }
    if (outcome === data.outcome.finishedWake) wakeAll(wake);
    return outcome === data.outcome.aborted ? results.aborted : results.done;
  };

  return {
    /** @param {number} state */
    setState(state) {
      Atomics.store(words, mine + mailbox.state, state);
      Atomics.notify(words, mine + mailbox.state);
    },
    /** @param {Message} message */
    handle(message) {
      if ('add' in message) codes.set(message.add, { payload: message.code });
      else if ('drop' in message) codes.delete(message.drop);
    },
    posted: () => Atomics.load(words, mine + mailbox.posted),
    hasCommand: () => Atomics.load(words, mine + mailbox.command) !== seen,
    /**
     * Sleeps until there is a command. After a synchronous run it looks for one a short while before: the next may come at
     * once. After an asynchronous one that would keep the core from the thread that hears of its end.
     */
    waitForCommand() {
      const spinMs = words[mine + mailbox.leader] < 0 ? data.spinMs : 0;
      const until = performance.now() + spinMs;
      for (let round = 1; !this.hasCommand(); round++) {
        if (round % 64 !== 0 || performance.now() < until) continue;
        Atomics.store(words, mine + mailbox.asleep, 1);
        Atomics.wait(words, mine + mailbox.command, seen);
        Atomics.store(words, mine + mailbox.asleep, 0);
      }
    },
    /**
     * Runs the command in the mailbox; never throws.
     * @param {() => void} receive takes in what was posted before it
     * @param {() => void} tell wakes the pool's owner
     */
    run(receive, tell) {
      seen = Atomics.load(words, mine + mailbox.command);
      /** @type {number} */
      let result = results.failed;
      const started = performance.now();
      try {
        receive();
        result = execute();
      } catch (error) {
        writeError(error);
      }
      doubles[(mine + mailbox.elapsed) >> 1] = performance.now() - started;
      words[mine + mailbox.result] = result;
      // Read before `finished` is stored: after that the mailbox may be written for the next command.
      const leader = words[mine + mailbox.leader];
      const wake = words[mine + mailbox.gang] + mailbox.wake;
      Atomics.store(words, mine + mailbox.finished, seen);
      if (result === results.failed) wakeAll(wake);
      if (leader < 0) return;
      const isLast = Atomics.sub(words, leader + mailbox.remaining, 1) === 1;
      if (isLast || result === results.failed) tell();
    },
    states,
  };
}

/** @param {CodePayload} payload @returns {Code} */
function link(payload) {
  if (payload.kind === 'wasm') {
    const { exports } = new WebAssembly.Instance(payload.module, { env: { memory: payload.memory } });
    return /** @type {any} */ ({ serial: exports[payload.serial], parallel: exports[payload.parallel] });
  }
  const koffi = loadKoffi();
  return {
    serial: koffi.decode(payload.serial, koffi.proto('void', ['int64'])),
    parallel: koffi.decode(payload.parallel, koffi.proto('int64', ['int64', 'int64', 'int64'])),
  };
}

/** @type {typeof import('koffi').default | undefined} */
let koffi;
function loadKoffi() {
  if (koffi) return koffi;
  const { createRequire } = globalThis.process.getBuiltinModule('node:module');
  /** @type {typeof import('koffi').default} */
  const loaded = createRequire(import.meta.url)('koffi');
  // A thread that calls a function pointer before it loaded any library crashes (seen with koffi 3.3).
  loaded.load(null);
  return (koffi = loaded);
}

/** Node: sleeps on the mailbox between commands, never returns to the event loop, reads messages when told of them. */
function serveNode() {
  const threads = globalThis.process.getBuiltinModule('node:worker_threads');
  const port = /** @type {import('node:worker_threads').MessagePort} */ (threads.parentPort);
  const worker = createWorker(threads.workerData);
  let read = 0;
  const receive = () => {
    for (const posted = worker.posted(); read < posted; ) {
      const received = threads.receiveMessageOnPort(port);
      if (!received) continue;
      worker.handle(received.message);
      read++;
    }
  };
  worker.setState(worker.states.ready);
  for (;;) {
    worker.waitForCommand();
    worker.run(receive, () => port.postMessage(0));
  }
}

/** A browser, where a worker hears of messages only between tasks: a message wakes it for each command. */
function serveBrowser() {
  /** @type {ReturnType<typeof createWorker> | undefined} */
  let worker;
  addEventListener('message', ({ data: message }) => {
    if ('start' in message) {
      worker = createWorker(message.start);
      worker.setState(worker.states.ready);
      postMessage(0);
    } else worker?.handle(message);
    // Not before: a command may be there while the code it needs is still on its way in messages before this one.
    if ('wake' in message && worker?.hasCommand()) worker.run(() => {}, () => postMessage(0));
  });
}

if (typeof globalThis.process?.getBuiltinModule === 'function') serveNode();
else serveBrowser();
