"""cold_python.py ENGINE MODEL SIZE THREADS PICTURE...: boxes of pictures, as the shortest Python program finds them."""
import sys

import numpy as np
from PIL import Image

import detections
from engines import load_torch

engine, model, size, threads = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
if engine == "onnxruntime":
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    infer = lambda x: session.run(None, {session.get_inputs()[0].name: x})[0]
else:
    import torch

    torch.set_num_threads(threads)
    network = load_torch(model).fuse(verbose=False).eval()

    def infer(x):
        with torch.inference_mode():
            return network(torch.from_numpy(x))[0].numpy()

for path in sys.argv[5:]:
    picture = Image.open(path).convert("RGB")
    gain = size / max(picture.size)
    picture = picture.resize([round(side * gain) for side in picture.size])
    canvas = Image.new("RGB", (size, size), (114, 114, 114))
    corner = (size - picture.width) // 2, (size - picture.height) // 2
    canvas.paste(picture, corner)
    rows = detections.find(infer(np.asarray(canvas, np.float32).transpose(2, 0, 1)[None] / np.float32(255)))
    for row in rows:
        print(*(row[:4] - 2 * corner) / gain, *row[4:])
