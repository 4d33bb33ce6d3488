"""YOLO11n, one picture, the forward pass: PyTorch, ONNX Runtime, OpenVINO, ncnn."""
import os

import numpy as np

import engines
from environment import present
from measure import check


def agree(name, ours, theirs):
    difference = np.abs(ours - theirs.reshape(ours.shape))
    return all([check(name, "probability", float(difference[4:].max())), check(name, "box", float(difference[:4].max()))])


def run(bench):
    o, x = bench.options, bench.nchw[:1]
    peers = {"onnxruntime": lambda t: engines.onnxruntime(o.onnx, x, t),
             "pytorch": lambda t: engines.pytorch(engines.load_torch(o.weights).fuse(verbose=False).eval(), x, t)}
    if present("openvino"):
        peers["openvino"] = lambda t: engines.openvino(o.onnx, x, t)
    if present("ncnn") and present("pnnx"):
        folder = bench.kept("ncnn", [o.onnx], ["pnnx"], lambda folder: engines.ncnn_from_onnx(o.onnx, x.shape, folder))
        peers["ncnn"] = lambda t: engines.ncnn(os.path.join(folder, "model.ncnn"), x, t)
    return bench.compete("forward-640", peers, agree)
