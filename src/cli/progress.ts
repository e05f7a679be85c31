/** How far long work has come: a bar on a terminal, a few plain lines elsewhere; always on stderr. */
import cliProgress from 'cli-progress';
import { formatBytes, styleFor, type Terminal } from './terminal.ts';

export interface Progress {
  /** `done` of `total`; the total may become known late. */
  update(done: number, total?: number): void;
  /** Takes the bar away; says `summary` in its place where there is one. */
  stop(summary?: string): void;
}

export interface ProgressOptions {
  readonly total?: number;
  /** How amounts are written. Default: as bytes. */
  readonly format?: (amount: number) => string;
  /** Elsewhere than on a terminal: a line at each quarter of the whole, not only at the start. Default true. */
  readonly quarters?: boolean;
}

export function startProgress(terminal: Terminal, label: string, options: ProgressOptions = {}): Progress {
  return terminal.stderr.isTTY ? barOn(terminal, label, options) : linesOn(terminal, label, options);
}

function barOn(terminal: Terminal, label: string, { total = 0, format = formatBytes }: ProgressOptions): Progress {
  const style = styleFor(terminal.stderr);
  const bar = new cliProgress.SingleBar({
    stream: terminal.stderr as NodeJS.WriteStream,
    format: (_options, { progress, value, total: whole }) => {
      const width = 28;
      const full = Math.round(Math.min(1, progress) * width);
      const drawn = style.accent('━'.repeat(full)) + style.faint('━'.repeat(width - full));
      return whole > 0 ? `${label}  ${drawn}  ${format(value)} of ${format(whole)}` : `${label}  ${format(value)}`;
    },
    clearOnComplete: true,
    hideCursor: true,
    gracefulExit: true,
  });
  bar.start(total, 0);
  return {
    update(done, whole) {
      if (whole !== undefined && whole !== bar.getTotal()) bar.setTotal(whole);
      bar.update(done);
    },
    stop(summary) {
      bar.stop();
      if (summary !== undefined) terminal.note(summary);
    },
  };
}

function linesOn(terminal: Terminal, label: string, { total, format = formatBytes, quarters = true }: ProgressOptions): Progress {
  let whole = total ?? 0;
  let said = 0;
  terminal.note(whole > 0 ? `${label}: ${format(whole)}` : label);
  return {
    update(done, now = whole) {
      whole = now;
      const quarter = whole > 0 ? Math.floor((done / whole) * 4) : 0;
      if (!quarters || quarter <= said || quarter >= 4) return;
      said = quarter;
      terminal.note(`${label}: ${format(done)} of ${format(whole)}`);
    },
    stop(summary) {
      if (summary !== undefined) terminal.note(summary);
    },
  };
}
