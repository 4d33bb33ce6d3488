"""YOLO11n as 8-bit integers: ours from `retort quantize`, OpenVINO from NNCF, ONNX Runtime from its own quantiser.

All are calibrated on the same pictures. Integers differ from floats, and each engine differs in its own way, so what is
compared are objects: of those that floats see with a confidence of 0.4 in other pictures, integers must find nine in
ten again, of the same class, with an overlap of 0.6 and a confidence of 0.2.
Nothing finer can be asked: at other confidences a box more or less is what a step of a 256th makes.
"""
import os
import subprocess

import numpy as np

import detections
import engines
from environment import present
from measure import Ours, check

CALIBRATION = 32


def head_nodes(path):
    """What turns the head's last convolutions into boxes stays float in every engine."""
    import onnx

    graph = onnx.load(path).graph
    head = max((n.name.split("/")[1] for n in graph.node if n.name.startswith("/model.")), key=lambda s: int(s.split(".")[1]))
    return [n.name for n in graph.node if n.name.startswith(f"/{head}/") and n.op_type != "Conv"]


def quantise_ours(bench, names, path):
    listed = bench.file("calibration.txt")
    with open(listed, "w") as file:
        file.writelines(os.path.abspath(name) + "\n" for name in names)
    subprocess.run([bench.retort(), "quantize", "--quiet", "-m", bench.options.weights, "-f", listed, "-n", str(len(names)),
                    "--compare", "0", "-o", path], check=True, stdout=subprocess.DEVNULL)


def quantise_openvino(bench, pictures, path):
    import nncf
    import openvino as ov

    nncf.set_log_level(40)  # errors
    ignored = nncf.IgnoredScope(names=head_nodes(bench.options.onnx), validate=False)
    model = nncf.quantize(ov.Core().read_model(bench.options.onnx), nncf.Dataset([p[None] for p in pictures]),
                          preset=nncf.QuantizationPreset.MIXED, subset_size=len(pictures), ignored_scope=ignored)
    ov.save_model(model, path, compress_to_fp16=False)


def quantise_onnxruntime(bench, pictures, path):
    """Seven bits for weights: CPUs without VNNI saturate sums of two products otherwise."""
    import logging

    from onnxruntime import quantization as q

    logging.getLogger().setLevel(logging.ERROR)

    class Reader(q.CalibrationDataReader):
        left = iter([{"images": p[None]} for p in pictures])

        def get_next(self):
            return next(self.left, None)

    q.quantize_static(bench.options.onnx, path, Reader(), quant_format=q.QuantFormat.QDQ, per_channel=True,
                      activation_type=q.QuantType.QUInt8, weight_type=q.QuantType.QInt8, reduce_range=True,
                      nodes_to_exclude=head_nodes(bench.options.onnx))


def ours_on(bench, path, pictures):
    for picture in pictures:
        one, pixels = Ours(bench.options.bench, bench.options.weights), bench.file("picture.npy")
        np.save(pixels, np.ascontiguousarray(picture.transpose(1, 2, 0)).reshape(-1, 3))
        one.give(int8=path, input=pixels)
        yield one.output("int8-640-t1", bench.file("output.npy"))
        one.end()


def agree(name, wanted, outputs):
    lost = sum(detections.lost(w, detections.find(out, 0.2)) for w, out in zip(wanted, outputs))
    return check(f"{name}, {sum(map(len, wanted))} objects", "lost", lost / max(1, sum(map(len, wanted))))


def run(bench):
    o, x = bench.options, bench.nchw[:1]
    if not os.path.isdir(o.pictures):
        print(f"{o.pictures} is absent: integers not compared")
        return True
    names = [os.path.join(o.pictures, name) for name in sorted(os.listdir(o.pictures))]
    some = names[len(bench.nchw)::max(1, (len(names) - len(bench.nchw)) // CALIBRATION)][:CALIBRATION]
    makers = {"onnxruntime": (["onnxruntime"], "int8.onnx", quantise_onnxruntime)}
    if present("openvino") and present("nncf"):
        makers["openvino"] = (["openvino", "nncf"], "int8.xml", quantise_openvino)
    paths = {}
    for name, (versions, file, make) in makers.items():
        folder = bench.kept("int8-" + name, [o.onnx, *some], versions,
                            lambda folder: make(bench, bench.read(some, 640), os.path.join(folder, file)))
        paths[name] = os.path.join(folder, file)
    peers = {name: lambda t, name=name: getattr(engines, name)(paths[name], x, t) for name in paths}
    ours = bench.file("int8.safetensors")
    quantise_ours(bench, some, ours)  # every time: our quantiser may have changed
    bench.ours.give(int8=ours)

    pictures = bench.nchw
    reference = engines.onnxruntime(o.onnx, x, 1)
    wanted = [detections.find(reference(p[None]), 0.4) for p in pictures]
    good = [agree("retort", wanted, ours_on(bench, ours, pictures))]
    for name, make in peers.items():
        call = make(1)
        good.append(agree(name, wanted, (call(p[None]) for p in pictures)))
    return all(good) and bench.compete("int8-640", peers, lambda *_: True)
