/** Pictures and text that runs logged, by step, each name's runs side by side. */
import { useEffect, useState } from 'preact/hooks';
import type { SampleSeries } from '../../src/lab/shared/index.ts';
import { colourOf } from './colours.ts';
import { address, useFetched } from './fetched.ts';
import { formatStep, title } from './format.ts';
import { runs, useShownRuns } from './state.ts';
import { useStore } from './store.ts';

export function Samples() {
  const shown = useShownRuns();
  const all = useStore(runs);
  const logging = shown.filter(({ samples }) => samples > 0);
  const answers = useFetched<readonly SampleSeries[]>(logging.map(({ name, samples }) => ({ path: address(name, 'samples'), count: samples })));
  if (logging.length === 0) {
    return (
      <div class="empty">
        <h2>No samples</h2>
        <p>Pictures and text that a run logs show here, by step.</p>
        <pre>{`run.image('digits', { width, height, data }, step);\nrun.text('answers', 'Call 1230\\nResp 1023', step);`}</pre>
      </div>
    );
  }
  // One run: all it has. Several: what has the same name, side by side.
  const found = logging.flatMap(({ name: run }) => (answers.get(address(run, 'samples')) ?? []).map((series) => ({ run, series })));
  const names = logging.length === 1 ? [undefined] : [...new Set(found.map(({ series }) => series.name))];
  return (
    <>
      {names.map((name) => (
        <section class="of-run" key={name} aria-label={name === undefined ? 'Samples' : `Samples named ${name}`}>
          {name !== undefined && <h2>{title(name)}</h2>}
          <div class="grid">
            {found
              .filter(({ series }) => name === undefined || series.name === name)
              .map(({ run, series }) => <Sample key={`${run} ${series.kind} ${series.name}`} run={run} colour={colourOf(run, all)} heading={name === undefined ? title(series.name) : run} series={series} />)}
          </div>
        </section>
      ))}
    </>
  );
}

/** At the latest step, unless the person chose another. */
function Sample({ run, colour, heading, series: { name, kind, entries } }: { run: string; colour: string; heading: string; series: SampleSeries }) {
  const [chosen, setChosen] = useState<number | null>(null);
  const index = chosen ?? entries.length - 1;
  const entry = entries[Math.min(index, entries.length - 1)];
  const source = address(run, `samples/${entry.id}`);
  const choose = (to: number): void => setChosen(to >= entries.length - 1 ? null : Math.max(0, to));
  return (
    <section class="card sample" aria-label={`${kind === 'image' ? 'Picture' : 'Text'} ${name} of ${run}`} style={{ '--run': colour }}>
      <header>
        <h3><i class="dot" aria-hidden="true" />{heading}</h3>
        <span class="facts">step {formatStep(entry.step)}{chosen === null && entries.length > 1 ? ', latest' : ''}</span>
      </header>
      {kind === 'image' ? (
        <div class="picture"><img src={source} alt={`${name} at step ${entry.step}`} width={entry.width} height={entry.height} class={(entry.width ?? 0) < 200 ? 'pixels' : ''} /></div>
      ) : (
        <Text source={source} />
      )}
      {entries.length > 1 && (
        <div class="steps">
          <button class="quiet" aria-label="Earlier" disabled={index <= 0} onClick={() => choose(index - 1)}>‹</button>
          <input type="range" min="0" max={entries.length - 1} value={index} aria-label={`Step of ${name}`} aria-valuetext={`step ${entry.step}`} onInput={(event) => choose(Number(event.currentTarget.value))} />
          <button class="quiet" aria-label="Later" disabled={index >= entries.length - 1} onClick={() => choose(index + 1)}>›</button>
        </div>
      )}
    </section>
  );
}

function Text({ source }: { source: string }) {
  const [text, setText] = useState('');
  useEffect(() => {
    let over = false;
    void fetch(source)
      .then((answer) => (answer.ok ? answer.text() : 'This text can no longer be read.'))
      .then((value) => !over && setText(value))
      .catch(() => !over && setText('The server does not answer.'));
    return () => {
      over = true;
    };
  }, [source]);
  return <pre tabIndex={0}>{text}</pre>;
}
