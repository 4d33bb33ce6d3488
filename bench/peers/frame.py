"""From a JPEG file of 640 x 360 to boxes in its pixels: reading, letterbox to 640 x 640, network, suppression."""
import os

import numpy as np

import detections
import engines
from environment import present
from measure import check

SIZE = 640


def read_pil(path):
    from PIL import Image

    return np.asarray(Image.open(path).convert("RGB"))


def read_cv2(path):
    import cv2

    return cv2.cvtColor(cv2.imread(path), cv2.COLOR_BGR2RGB)


def predict(path, read, infer):
    """The picture is as wide as the network's input: nothing to resize, a grey border above and below."""
    picture = read(path)
    height, width = picture.shape[:2]
    top, left = (SIZE - height) // 2, (SIZE - width) // 2
    canvas = np.full((SIZE, SIZE, 3), 114, np.uint8)
    canvas[top:top + height, left:left + width] = picture
    x = np.ascontiguousarray(canvas.transpose(2, 0, 1)[None]).astype(np.float32) / np.float32(255)
    rows = detections.find(infer(x))
    rows[:, [0, 2]] = np.clip(rows[:, [0, 2]] - left, 0, width)
    rows[:, [1, 3]] = np.clip(rows[:, [1, 3]] - top, 0, height)
    return rows


def agree(name, ours, theirs):
    if len(ours) != len(theirs):
        print(f"  {name}: {len(theirs)} objects, ours {len(ours)}")
        return False
    return all([check(f"{name}, {len(ours)} objects", "probability", float(np.abs(ours - theirs)[:, 4:].max(initial=0))),
                check(name, "box", float(np.abs(ours - theirs)[:, :4].max(initial=0)))])


def picture(bench):
    """A file of 640 x 360; made up where the data are absent."""
    from PIL import Image

    if os.path.exists(bench.options.frame):
        return bench.options.frame
    path = bench.file("frame.jpg")
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (360, SIZE, 3), np.uint8)).save(path, quality=90)
    return path


def run(bench):
    o = bench.options
    path = picture(bench)
    bench.ours.give(picture=path)
    readers = {"pillow": read_pil} | ({"cv2": read_cv2} if present("cv2") else {})
    makers = {"onnxruntime": engines.onnxruntime} | ({"openvino": engines.openvino} if present("openvino") else {})

    def peer(make, read):
        def made(threads):
            infer = make(o.onnx, bench.nchw[:1], threads)
            return lambda: predict(path, read, infer)
        return made

    peers = {f"{engine}+{reader}": peer(make, read) for engine, make in makers.items() for reader, read in readers.items()}
    return bench.compete("frame-640", peers, agree)
