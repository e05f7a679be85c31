/** What a training script logs, and `whet lab` shows. */
import { openRun } from 'whetstone/lab';

const run = openRun('mnist', { config: { lr: 0.001 } }); // the run is a folder in runs/
run.log({ 'loss/train': 0.3, 'loss/validation': 0.4 }, 1); // names that share what is before the slash share a plot
run.histogram('weights/fc', new Float32Array([0.1, -0.2]), 1);
run.image('digits', { width: 1, height: 2, data: new Uint8Array([0, 255]) }, 1);
run.text('answers', 'Call 1230 Resp 1023', 1);
run.close();
