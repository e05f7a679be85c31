/** What the server answers: the page, what runs there are, and what they logged. Reading only: nothing here changes a run. */
import { Hono } from 'hono';
import { streamSSE } from 'hono/streaming';
import { makeFeed, partOf } from './events.ts';
import { ownHost, secured, withToken } from './guard.ts';
import type { PageFile } from './page-files.ts';
import { decodeLine } from './record.ts';
import type { WatchedRun, Watcher } from './watch.ts';

export interface AppOptions {
  readonly watcher: Watcher;
  /** By path: `/` is the page itself. */
  readonly files: ReadonlyMap<string, PageFile>;
  readonly token: string;
  readonly host: string;
  /** Ends streams when the server closes. */
  readonly signal: AbortSignal;
}

/** A stream that says nothing for this long says that it is alive. */
const aliveMs = 15_000;
const mostStreams = 64;

export function makeApp({ watcher, files, token, host, signal }: AppOptions): Hono {
  const app = new Hono();
  app.use(secured, ownHost(host), withToken(token));
  app.route('/api', runsApi(watcher, signal));
  app.get('*', (context) => {
    const file = files.get(context.req.path);
    if (!file) return context.text('Expected a page of the lab, got another address.\n', 404);
    return context.body(file.bytes, 200, { 'content-type': file.type, ...(file.forever && { 'cache-control': 'private, max-age=31536000, immutable' }) });
  });
  app.all('*', (context) => context.text('Expected GET.\n', 405));
  app.onError((error, context) => context.json({ error: error.message }, 500));
  return app;
}

function runsApi(watcher: Watcher, signal: AbortSignal): Hono {
  const api = new Hono();
  let streams = 0;
  // Names are looked up among the runs that were found, never made into paths.
  const find = (name: string): WatchedRun | undefined => watcher.runs.get(name);

  api.get('/runs', (context) => context.json({ folder: watcher.folder, runs: [...watcher.runs.values()].map(({ summary }) => summary) }));
  api.get('/runs/:run', (context) => {
    const run = find(context.req.param('run'));
    return run ? context.json({ summary: run.summary, series: [...run.view.series].map(([name, series]) => partOf(name, series, 0)) }) : context.notFound();
  });
  api.get('/runs/:run/histograms', (context) => {
    const run = find(context.req.param('run'));
    return run ? context.json(run.view.histograms()) : context.notFound();
  });
  api.get('/runs/:run/samples', (context) => {
    const run = find(context.req.param('run'));
    return run ? context.json(run.view.samples()) : context.notFound();
  });
  api.get('/runs/:run/samples/:id', async (context) => {
    const run = context.req.param('run');
    const place = find(run)?.view.place(context.req.param('id'));
    const record = place && decodeLine(await watcher.read(run, place));
    if (record?.kind === 'text') return context.text(record.text);
    if (record?.kind === 'image') return context.body(Buffer.from(record.png, 'base64'), 200, { 'content-type': 'image/png' });
    return context.notFound();
  });

  /** Events `runs` and `data`, for the runs that `run=` names (as often as needed). */
  api.get('/events', (context) => {
    if (streams >= mostStreams) return context.text(`Expected at most ${mostStreams} pages at once, got one more.\n`, 503);
    const feed = makeFeed(watcher, new Set(context.req.queries('run')));
    return streamSSE(context, async (stream) => {
      streams++;
      try {
        while (!stream.aborted && !stream.closed && !signal.aborted) {
          const { version } = watcher;
          const { list, data } = feed.next();
          if (list) await stream.writeSSE({ event: 'runs', data: JSON.stringify(list) });
          for (const one of data) await stream.writeSSE({ event: 'data', data: JSON.stringify(one) });
          if (!list && data.length === 0) await stream.write(': still here\n\n');
          await watcher.next(version, aliveMs);
        }
      } finally {
        streams--;
      }
    });
  });
  api.all('*', (context) => context.json({ error: 'Expected an address of the API, got another.' }, 404));
  return api;
}
