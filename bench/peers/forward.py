"""YOLO11n, one picture, the forward pass: PyTorch, ONNX Runtime, OpenVINO, ncnn."""
import numpy as np

import engines
from environment import present
from measure import check, rounds, timed


def compare(name, ours, theirs):
    difference = np.abs(ours - theirs.reshape(ours.shape))
    return [check(name, "probability", float(difference[4:].max())), check(name, "box", float(difference[:4].max()))]


def run(bench):
    o, x = bench.options, bench.nchw[:1]
    peers = {"onnxruntime": lambda t: engines.onnxruntime(o.onnx, x, t),
             "pytorch": lambda t: engines.pytorch(engines.load_torch(o.weights).fuse(verbose=False).eval(), x, t)}
    if present("openvino"):
        peers["openvino"] = lambda t: engines.openvino(o.onnx, x, t)
    if present("ncnn") and present("pnnx"):
        stem = engines.ncnn_from_onnx(o.onnx, x.shape, bench.file("ncnn"))
        peers["ncnn"] = lambda t: engines.ncnn(stem, x, t)
    for threads in o.threads:
        case = f"forward-640-t{threads}"
        raw, made = bench.ours.output(case, bench.file("output.npy")), {n: make(threads) for n, make in peers.items()}
        if not all([good for name, call in made.items() for good in compare(name, raw, call())]):
            return False
        turns = [("retort", bench.ours.runner(case)), *((name, timed(call)) for name, call in made.items())]
        bench.table.add("forward-640", threads, *rounds(turns, o.rounds))
        bench.ours.ask("-" + case)
    return True
