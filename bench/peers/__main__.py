"""Times the same work in other engines, in turns with ours (docs/performance.md).

Runs in a virtual environment that it makes in the folder of --work, or with the interpreter that PYTHON names.
Outputs are compared before anything is timed; where they differ there are no times and the exit status is 1.
"""
import argparse
import functools
import hashlib
import importlib
import os
import sys
import tempfile
import traceback

import environment
from measure import Ours, Table, rounds, timed

COMPARED = 16  # pictures on which integers are compared, at least
CASES = ["forward", "int8", "step", "vit", "frame", "farthest", "cold"]
PEERS = ["onnxruntime", "openvino", "ncnn", "torch", "numpy", "nncf", "pnnx"]  # and what makes models for them


def numbers(text):
    return [int(word) for word in text.split(",") if word]


def sizes(text):
    return [tuple(int(n) for n in word.split("x")) for word in text.split(",") if word]


def arguments():
    p = argparse.ArgumentParser(prog="peers")
    p.add_argument("--bench", required=True, help="our program")
    p.add_argument("--commit", default="unknown")
    p.add_argument("--only", default=",".join(CASES), help="kinds of case")
    p.add_argument("--work", default="build/peers", help="folder of what is made once")
    p.add_argument("--weights", default="../shared/weights/yolo11n-coco.pt", help="YOLO11n checkpoint")
    p.add_argument("--onnx", default="../shared/weights/yolo11n-coco.onnx", help="its export, 1x3x640x640")
    p.add_argument("--pictures", default="../shared/data/coco128/images", help="input; absent: noise")
    p.add_argument("--data", default="../shared/data", help="frames of fixed cameras, for embeddings")
    p.add_argument("--frame", default="../shared/data/expressway/cam8701/images/2021_03_20_100105.jpg",
                   help="a JPEG of 640 x 360 for the way from a file to boxes")
    p.add_argument("--threads", type=numbers, default="1,2", help="of all but the training steps")
    p.add_argument("--rounds", type=int, default=12, help="of all but the training steps")
    p.add_argument("--cold-rounds", type=int, default=4, help="of whole processes")
    p.add_argument("--steps", type=sizes, default="640x4,640x16,320x16", help="size x batch of the training steps")
    p.add_argument("--step-rounds", type=int, default=3)
    p.add_argument("--step-threads", type=int, default=2)
    return p.parse_args()


class Bench:
    """What the cases share."""

    def __init__(self, options):
        import numpy as np

        self.options = options
        count = max([COMPARED] + [batch for _, batch in options.steps])
        self.nchw, self.small = (pictures(options.pictures, count, size) for size in (640, 320))
        self.targets = boxes(count)
        files = {"input": self.nchw, "input_320": self.small, "targets": self.targets}
        self.ours = Ours(options.bench, options.weights)
        for name, values in files.items():
            self.give(name, values)
        self.threads = sorted({*options.threads, options.step_threads})
        self.table = Table(options.commit, versions(options.commit), self.ours.machine(self.threads))

    def file(self, name):
        return os.path.join(self.options.work, name)

    def kept(self, name, sources, engines, make):
        """A folder that make(folder) fills once: its name depends on what it is made from, by which versions. None when
        make returns False."""
        parts = [digest(path) for path in sources] + [self.table.versions.get(name, "") for name in engines]
        folder = self.file(name + "-" + hashlib.sha256(" ".join(parts).encode()).hexdigest()[:12])
        if not os.path.exists(folder):
            with tempfile.TemporaryDirectory(dir=self.options.work) as begun:
                whole = os.path.join(begun, name)
                os.mkdir(whole)
                if make(whole) is False:
                    return None
                os.rename(whole, folder)
        return folder

    def retort(self):
        """The command, beside the program."""
        return os.path.join(os.path.dirname(os.path.dirname(self.options.bench)), "retort")

    def read(self, paths, size):
        return read(paths, size)

    def give(self, name, values):
        """An input of our program: pictures as rows of pixels, matrices as they are."""
        import numpy as np

        rows = values.transpose(0, 2, 3, 1).reshape(-1, 3) if values.ndim == 4 else values
        np.save(self.file(name + ".npy"), np.ascontiguousarray(rows))
        self.ours.give(**{name: self.file(name + ".npy")})

    def compete(self, name, peers, agree):
        """Every peer is made for each number of threads; agree(peer, our output, its output) says whether it may be
        timed. False when one may not."""
        for threads in self.options.threads:
            case = f"{name}-t{threads}"
            ours = self.ours.output(case, self.file("output.npy"))
            calls = {peer: make(threads) for peer, make in peers.items()}
            if not all([agree(peer, ours, call()) for peer, call in calls.items()]):
                return False
            turns = [("retort", self.ours.runner(case)), *((peer, timed(call)) for peer, call in calls.items())]
            self.table.add(name, threads, *rounds(turns, self.options.rounds))
            self.ours.ask("-" + case)
        return True


def read(paths, size):
    """count x 3 x size x size in [0, 1]. Stretched, not letterboxed: every engine gets these very values."""
    import numpy as np
    from PIL import Image

    rows = np.stack([np.asarray(Image.open(path).convert("RGB").resize((size, size))) for path in paths])
    return np.ascontiguousarray(rows.transpose(0, 3, 1, 2)).astype(np.float32) / np.float32(255)


def pictures(folder, count, size):
    """The first ones of a folder, or noise."""
    import numpy as np

    if not os.path.isdir(folder):
        return np.random.default_rng(0).random((count, 3, size, size), dtype=np.float32)
    return read([os.path.join(folder, name) for name in sorted(os.listdir(folder))[:count]], size)


def boxes(images, each=8):
    """Rows of image, class, cx, cy, w, h."""
    import numpy as np

    draw = np.random.default_rng(1)
    n = images * each
    centres, sides = draw.uniform(0.2, 0.8, (2, n)), draw.uniform(0.05, 0.4, (2, n))
    return np.stack([np.arange(n) // each, draw.integers(0, 80, n), *centres, *sides], 1).astype(np.float32)


@functools.lru_cache(maxsize=None)
def digest(path):
    """Of a file, or of the names and sizes of all files of a folder."""
    found = hashlib.sha256()
    if not os.path.isdir(path):
        with open(path, "rb") as file:
            found.update(file.read())
    for folder, folders, names in os.walk(path):
        folders.sort()
        for name in sorted(names):
            file = os.path.join(folder, name)
            found.update(f"{os.path.relpath(file, path)} {os.path.getsize(file)}\n".encode())
    return found.hexdigest()


def versions(commit):
    from importlib import metadata

    found = {"retort": commit}
    for name in PEERS:
        try:
            found["pytorch" if name == "torch" else name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            pass
    return found


def attempt(bench, kind):
    """A kind of case that fails does not take the others' results with it."""
    try:
        return importlib.import_module(kind).run(bench)
    except Exception:
        traceback.print_exc()
        return False


def main():
    options = arguments()
    environment.enter(options.work)
    for path in (options.weights, options.onnx):
        if not os.path.exists(path):
            sys.exit(f"{path} is absent: not compared")
    os.makedirs(options.work, exist_ok=True)
    bench = Bench(options)
    before = bench.table.machine
    print(f"{before['cpu']}, {before['isa']}, commit {options.commit}, "
          f"peaks {', '.join(f'{g:.1f}' for g in before['peaks'].values())} GFLOP/s")
    print("outputs first; then ms, minimum (median), and how many times ours:")
    good = all([attempt(bench, kind) for kind in options.only.split(",")])
    bench.ours.end()
    if bench.table.rows:
        bench.table.end(bench.ours.machine(bench.threads))
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
