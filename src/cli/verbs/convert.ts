/** `whet convert`: a model of any format, written in another. */
import { basename } from 'node:path';
import { type Command, Option } from 'commander';
import { exportOnnx, exportOnnxExternal } from '../../index.ts';
import { loadModel } from '../load.ts';
import { addVerb, batchOption, type CommonOptions, offlineOption, printJson, shapeOption, wholeNumber } from '../options.ts';
import { concreteShapes } from '../shapes.ts';
import { formatBytes, type Terminal } from '../terminal.ts';
import { writeWhole } from '../write-file.ts';

interface Options extends CommonOptions {
  readonly to: 'onnx';
  readonly output: string;
  readonly opset?: number;
  readonly batch?: number;
  readonly shape?: Record<string, readonly number[]>;
  readonly externalData?: boolean;
  readonly offline?: boolean;
}

export function addConvert(program: Command, terminal: Terminal): void {
  addVerb(program, 'convert <model>', 'write a model of the zoo, or a file, in another format', [
    'whet convert resnet50 --to onnx -o resnet50.onnx',
    'whet convert model.json --to onnx -o model.onnx --batch 8',
  ])
    .addOption(new Option('--to <format>', 'the format to write').choices(['onnx']).makeOptionMandatory())
    .requiredOption('-o, --output <file>', 'the file to write')
    .option('--opset <n>', "version of ONNX's operators (default: 21)", wholeNumber(1, 99))
    .addOption(batchOption())
    .addOption(shapeOption())
    .option('--external-data', 'keep the weights in a file of their own beside the model')
    .addOption(offlineOption())
    .action((model: string, options: Options) => convert(model, options, terminal));
}

/** The input shapes are fixed in what is written: free dimensions become what --batch, --shape or habit say. */
async function convert(name: string, options: Options, terminal: Terminal): Promise<void> {
  const { to, output, opset } = options;
  const { model, files } = await loadModel(name, terminal, options);
  const graph = model.build(concreteShapes(model, { ...options, known: files?.entry.input?.defaultShape }));
  const exported = options.externalData
    ? exportOnnxExternal(graph, `${basename(output)}.data`, { opset })
    : { model: exportOnnx(graph, { opset }), data: undefined };

  const dataFile = exported.data && `${output}.data`;
  await writeWhole([...(dataFile ? [{ path: dataFile, parts: exported.data }] : []), { path: output, parts: [exported.model] }]);

  const bytes = exported.model.length + (exported.data ?? []).reduce((sum, part) => sum + part.length, 0);
  const typed = (ports: typeof graph.inputs) => ports.map(({ name: port, value: { dtype, shape } }) => ({ name: port, dtype, shape }));
  const result = { model: name, to, file: output, ...(dataFile && { dataFile }), bytes, inputs: typed(graph.inputs), outputs: typed(graph.outputs) };
  if (options.json) return printJson(terminal, result);
  terminal.print(`${output}: ${formatBytes(bytes)}${dataFile ? `, with ${dataFile}` : ''}`);
  for (const [what, ports] of [['in', result.inputs], ['out', result.outputs]] as const) {
    for (const { name: port, dtype, shape } of ports) terminal.print(`  ${what.padEnd(3)}  ${port}  ${dtype}[${shape.join(',')}]`);
  }
}
