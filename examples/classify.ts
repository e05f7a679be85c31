/** The README's example: a photo through ResNet-50. `npm run build`, then `node --experimental-strip-types` (Node 22) or a bundler. */
import { compileModel, preprocess, topK } from 'whetstone';
import { loadModelFile } from 'whetstone/formats/node';
import { readImage } from 'whetstone/vision/node';
import { zooGet } from 'whetstone/zoo';

const { path, labels, entry } = await zooGet('resnet50'); // fetched once; or any .onnx file of yours
const model = compileModel(await loadModelFile(path));

const photo = await readImage('photo.jpg');
const tensor = preprocess(photo, entry.input!.recipe); // float32 [1, 224, 224, 3]
const { fc1000 } = model.infer(tensor); // or: await model.inferAsync(tensor)
for (const { label, probability } of topK(fc1000, 5, labels)[0]) console.log(label, probability);
