/** Pictures and text that runs logged, by step, each name's runs side by side. */
import { useEffect, useState } from 'preact/hooks';
import type { RunSummary, SampleSeries } from '../../src/lab/shared/index.ts';
import { colourOf } from './colours.ts';
import { address, useFetched } from './fetched.ts';
import { formatStep, title } from './format.ts';
import { runs, useShownRuns } from './state.ts';
import { useStore } from './store.ts';

export function Samples() {
  const shown = useShownRuns();
  const all = useStore(runs);
  const logging = shown.filter(({ samples }) => samples > 0);
  if (logging.length === 0) {
    return (
      <div class="empty">
        <h2>No samples</h2>
        <p>Pictures and text that a run logs show here, by step.</p>
        <pre>{`run.image('digits', { width, height, data }, step);\nrun.text('answers', 'Call 1230\\nResp 1023', step);`}</pre>
      </div>
    );
  }
  return <>{logging.map((run) => <OfRun key={run.name} run={run} colour={colourOf(run.name, all)} />)}</>;
}

function OfRun({ run, colour }: { run: RunSummary; colour: string }) {
  const series = useFetched<readonly SampleSeries[]>(address(run.name, 'samples'), run.samples);
  return (
    <section class="of-run" aria-label={`Samples of ${run.name}`}>
      <h2 style={{ '--run': colour }}><i class="dot" aria-hidden="true" />{run.name}</h2>
      <div class="grid">{series?.map((one) => <Sample key={`${one.kind} ${one.name}`} run={run.name} series={one} />)}</div>
    </section>
  );
}

/** At the latest step, unless the person chose another. */
function Sample({ run, series: { name, kind, entries } }: { run: string; series: SampleSeries }) {
  const [chosen, setChosen] = useState<number | null>(null);
  const index = chosen ?? entries.length - 1;
  const entry = entries[Math.min(index, entries.length - 1)];
  const source = address(run, `samples/${entry.id}`);
  const choose = (to: number): void => setChosen(to >= entries.length - 1 ? null : Math.max(0, to));
  return (
    <section class="card sample" aria-label={`${kind === 'image' ? 'Picture' : 'Text'} ${name}`}>
      <header>
        <h3>{title(name)}</h3>
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
