"""Whole processes that find the objects of one picture, at 640 and 320: start-up beyond the inference, and memory.

A process with nine pictures tells what a picture costs once everything is warm; the rest of the process with one
is start and end. Wall time is that of the user's clock; memory is the peak of the process with one picture.
"""
import json
import os
import subprocess
import sys

import numpy as np

import detections
import engines
import frame
from measure import check

MORE = 8


class Starter:
    def __init__(self):
        here = os.path.dirname(os.path.abspath(__file__))
        self.process = subprocess.Popen([sys.executable, "-S", os.path.join(here, "spawn.py")], text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def run(self, command):
        """Wall and CPU time in ms, peak MB."""
        self.process.stdin.write(json.dumps(command) + "\n")
        self.process.stdin.flush()
        wall, cpu, kilobytes, status = json.loads(self.process.stdout.readline())
        if status:
            raise RuntimeError(f"{command[:3]}: status {status}")
        return 1e3 * wall, 1e3 * cpu, kilobytes / 1024


def onnx_at(bench, size):
    """The export, or one more at another size."""
    if size == 640:
        return bench.options.onnx

    def export(folder):
        model = engines.load_torch(bench.options.weights).fuse(verbose=False).eval()
        engines.export(model, (1, 3, size, size), os.path.join(folder, "model.onnx"))

    return os.path.join(bench.kept(f"onnx-{size}", [bench.options.weights], ["pytorch"], export), "model.onnx")


def commands(bench, size, threads, picture):
    o = bench.options
    ours = bench.file("yolo11n.safetensors")
    if size == 640:
        subprocess.run([bench.retort(), "convert", "--quiet", o.weights, ours], check=True, stdout=subprocess.DEVNULL)
    script = [sys.executable, os.path.join(os.path.dirname(os.path.abspath(__file__)), "cold_python.py")]
    place, onnx = [str(size), str(threads)], onnx_at(bench, size)
    made = {"retort": [bench.retort(), "detect", "--quiet", "--square", "--threads", str(threads), "--size", str(size),
                       "-m", ours], "onnxruntime": [*script, "onnxruntime", onnx, *place]}
    if size == 640:  # seconds each
        made["pytorch"] = [*script, "pytorch", o.weights, *place]
    return {name: (command + [picture], command + [picture] * (1 + MORE)) for name, command in made.items()}


def objects(command):
    """Rows of left, top, right, bottom, confidence, class, as the process with one picture prints them."""
    text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    if text.startswith("{"):
        return np.array([[*d["box"], d["confidence"], d["class_id"]] for d in json.loads(text)["detections"]])
    return np.array([[float(word) for word in line.split()] for line in text.splitlines()])


def agree(both):
    """Pillow makes a picture smaller in another way, so boxes at 320 differ a little."""
    ours = objects([*both["retort"][0], "--json"])
    return all([check(f"{name}, {len(ours)} objects", "lost", detections.lost(ours, objects(pair[0])) / max(1, len(ours)))
                for name, pair in both.items() if name != "retort"])


def run(bench):
    o, starter, threads = bench.options, Starter(), max(bench.options.threads)
    picture = frame.picture(bench)
    for size in (640, 320):
        both = commands(bench, size, threads, picture)
        if not agree(both):
            return False
        one, nine = {name: [] for name in both}, {name: [] for name in both}
        for k in range(-1, o.cold_rounds):  # the first is not counted: it fills the page cache
            for name, pair in both.items():
                if name == "pytorch" and k:
                    continue
                results = [starter.run(command) for command in pair]
                if k >= 0:
                    one[name].append(results[0])
                    nine[name].append(results[1])
        beyond = {}
        for name in both:
            inference = (np.median(nine[name], 0) - np.median(one[name], 0)) / MORE
            beyond[name] = [(np.array(values) - inference)[:2] for values in one[name]]
        peaks = {name: round(max(v[2] for v in values), 1) for name, values in one.items()}
        bench.table.add(f"cold-{size}", threads, beyond, peaks=peaks)
    starter.process.stdin.close()
    starter.process.wait()
    return True
