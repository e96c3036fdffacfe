// Runs models that the tests wrote in onnxruntime and compares the scores.
//
//	npm i onnxruntime-node --ignore-scripts
//	go test ./onnx -count=1 -dump DIR
//	node onnx/testdata/onnxruntime.js DIR
const fs = require('fs'), path = require('path')
const ort = require(require.resolve('onnxruntime-node', { paths: [process.cwd(), __dirname] }))

const floats = file => {
  const b = fs.readFileSync(file)
  return new Float32Array(b.buffer.slice(b.byteOffset, b.byteOffset + b.length))
}

async function main(dir) {
  for (const file of fs.readdirSync(dir).filter(f => f.endsWith('.onnx'))) {
    const stem = path.join(dir, file.slice(0, -5))
    const rows = floats(stem + '.rows'), want = floats(stem + '.scores')
    const session = await ort.InferenceSession.create(stem + '.onnx')
    const x = new ort.Tensor('float32', rows, [want.length, rows.length / want.length])
    const got = (await session.run({ features: x })).score
    if (got.dims[0] !== want.length || got.dims[1] !== 1) throw new Error(`${file}: shape ${got.dims}`)
    let worst = 0
    want.forEach((w, i) => { worst = Math.max(worst, Math.abs(got.data[i] - w)) })
    console.log(`${file}: ${want.length} rows, largest difference ${worst.toExponential(1)}`)
    if (!(worst < 1e-5)) process.exitCode = 1
  }
}

main(process.argv[2])
