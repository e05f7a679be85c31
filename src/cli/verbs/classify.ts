/** `whet classify`: what photos show. */
import { type Command, Option } from 'commander';
import type { Image } from '../../index.ts';
import { listImages, readImage } from '../../vision/node.ts';
import { type Classifier, type ClassifierOptions, makeClassifier } from '../classifier.ts';
import { explain, SomeFailed } from '../failure.ts';
import { addVerb, type CommonOptions, isaOption, offlineOption, perChannel, positive, precisionOption, printJson, threadsOption, wholeNumber } from '../options.ts';
import { type Classified, labelWidthFor, printPredictions, toJson } from '../predictions.ts';
import { startProgress } from '../progress.ts';
import { styleFor, type Terminal } from '../terminal.ts';

interface Options extends CommonOptions, ClassifierOptions {
  readonly model: string;
  readonly top: number;
  readonly batch: number;
}

export function addClassify(program: Command, terminal: Terminal): void {
  addVerb(program, 'classify <photo...>', 'say what photos show', [
    'whet classify cat.jpg',
    'whet classify holiday/ --top 3 --batch 8 --json',
    'whet classify cat.jpg --model mobilenet.onnx --labels classes.txt',
  ])
    .usage('[options] PHOTO|FOLDER...')
    .option('--model <name>', 'a model of the zoo, or a file (.onnx, model.json)', 'resnet50')
    .option('--top <n>', 'classes to name', wholeNumber(1), 5)
    .option('--batch <n>', 'photos in one run', wholeNumber(1, 4096), 1)
    .addOption(isaOption())
    .addOption(threadsOption())
    .addOption(precisionOption())
    .addOption(offlineOption())
    .optionsGroup('How a model from a file wants its pictures:')
    .addOption(new Option('--layout <layout>', 'order of the axes (default: as its input has it)').choices(['NCHW', 'NHWC']))
    .addOption(new Option('--order <order>', 'order of the colours (default: RGB)').choices(['RGB', 'BGR']))
    .option('--scale <x>', 'what samples of 0 to 255 are multiplied by (default: 1/255)', positive)
    .option('--mean <r,g,b>', 'what is taken off then (default: 0.485,0.456,0.406)', perChannel)
    .option('--std <r,g,b>', 'what the rest is divided by (default: 0.229,0.224,0.225)', perChannel)
    .option('--size <pixels>', 'side of the picture where the model leaves it free (default: 224)', wholeNumber(1, 65_536))
    .option('--labels <file>', 'names of the classes: JSON, or a line each')
    .action((photos: string[], options: Options) => classify(photos, options, terminal));
}

async function classify(photos: readonly string[], options: Options, terminal: Terminal): Promise<void> {
  const files = (await Promise.all(photos.map(listImages))).flat();
  const classifier = await makeClassifier(options.model, terminal, options);
  const failed: string[] = [];
  const fail = (file: string, error: unknown): void => {
    if (files.length === 1) throw error;
    failed.push(file);
    terminal.note(`${styleFor(terminal.stderr).bad('error:')} ${explain(error)}`);
  };
  const results = await classifyFiles(classifier, files, options, fail, terminal);
  if (options.json) printJson(terminal, results.map(toJson));
  else {
    const width = labelWidthFor(results, terminal);
    results.forEach((result, i) => {
      if (i > 0) terminal.print();
      printPredictions(result, undefined, width, terminal);
    });
  }
  if (failed.length > 0) throw new SomeFailed(`${failed.length} of ${files.length} photos could not be read`);
}

/** Batch after batch; the next one is decoded while the network runs. A photo that cannot be read does not stop the others. */
async function classifyFiles(
  classifier: Classifier,
  files: readonly string[],
  { batch, top }: Options,
  fail: (file: string, error: unknown) => void,
  terminal: Terminal,
): Promise<Classified[]> {
  const results: Classified[] = [];
  const decode = (from: number) => Promise.allSettled(files.slice(from, from + batch).map((file) => readImage(file)));
  const progress = files.length > Math.max(8, batch) ? startProgress(terminal, 'classifying', { total: files.length, format: (n) => `${n}` }) : undefined;
  let next = decode(0);
  for (let from = 0; from < files.length; from += batch) {
    const decoded = await next;
    if (from + batch < files.length) next = decode(from + batch);
    const images: Image[] = [];
    const named: string[] = [];
    decoded.forEach((outcome, i) => {
      if (outcome.status === 'rejected') return fail(files[from + i], outcome.reason);
      images.push(outcome.value);
      named.push(files[from + i]);
    });
    if (images.length === 0) continue;
    const { predictions } = classifier.classify(images, top);
    named.forEach((file, i) => results.push({ file, predictions: predictions[i] }));
    progress?.update(from + decoded.length);
  }
  progress?.stop();
  return results;
}
