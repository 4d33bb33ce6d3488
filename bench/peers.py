"""Times the same work in other engines, in turns with ours: ONNX Runtime and PyTorch (docs/performance.md).

Runs in a virtual environment that it makes in build/peers, or with the interpreter that PYTHON names. Outputs
are compared before anything is timed; where they differ there are no times and the exit status is 1.
"""
import argparse
import csv
import json
import os
import re
import subprocess
import sys
import time
from types import SimpleNamespace

PACKAGES = ["numpy", "onnx", "onnxruntime", "pillow", "torch", "torchvision", "ultralytics"]
CPU_INDEX = "https://download.pytorch.org/whl/cpu"  # the same PyTorch without gigabytes for GPUs
FOLDER = "build/peers"
SIZE = 640
# Two correct float32 programs differ by less on every picture we have seen; a wrong layer by far more.
LIMITS = {"probability": 1e-4, "box": 0.05, "loss": 1e-3, "norm": 1e-3}


def arguments():
    p = argparse.ArgumentParser()
    p.add_argument("--bench", required=True, help="our program")
    p.add_argument("--commit", default="unknown")
    p.add_argument("--weights", default="../shared/weights/yolo11n-coco.pt", help="YOLO11n checkpoint")
    p.add_argument("--onnx", default="../shared/weights/yolo11n-coco.onnx", help="its export, 1x3x640x640")
    p.add_argument("--pictures", default="../shared/data/coco128/images", help="input; absent: noise")
    p.add_argument("--threads", default="1,2", help="of the forward pass; empty: not run")
    p.add_argument("--rounds", type=int, default=15, help="of the forward pass")
    p.add_argument("--step-rounds", type=int, default=5)
    p.add_argument("--batches", default="4,16", help="of the training step")
    p.add_argument("--step-threads", type=int, default=2)
    return p.parse_args()


def numbers(text):
    return [int(word) for word in text.split(",") if word]


def install(python):
    """The CPU index is tried once, then plain PyPI; false without either."""
    pip = [python, "-m", "pip", "-q", "install", "--retries", "0", "--timeout"]
    tries = [[*pip, "5", "--extra-index-url", CPU_INDEX], [*pip, "15"]]
    return any(subprocess.run([*command, *PACKAGES], stderr=subprocess.DEVNULL).returncode == 0 for command in tries)


def enter_environment():
    """Starts this script again inside an interpreter that has the packages."""
    wanted = os.environ.get("PYTHON")
    if os.environ.get("RETORT_PEERS"):
        return
    python = wanted or os.path.join(FOLDER, "env/bin/python")
    if not wanted and not os.path.exists(os.path.join(FOLDER, "env/complete")):
        print(f"making {FOLDER}/env", flush=True)
        subprocess.run([sys.executable, "-m", "venv", os.path.join(FOLDER, "env")], check=True)
        if not install(python):
            print("the other engines cannot be installed (no package index answers): not compared")
            sys.exit(0)
        open(os.path.join(FOLDER, "env/complete"), "w").close()
    environment = dict(os.environ, RETORT_PEERS="1", YOLO_OFFLINE="true")
    os.execvpe(python, [python, *sys.argv], environment)


def picture_batch(folder, count):
    """count x 640 x 640 x 3 in [0, 1]. Stretched, not letterboxed: every engine gets these very values."""
    import numpy as np

    if not os.path.isdir(folder):
        return np.random.default_rng(0).random((count, SIZE, SIZE, 3), dtype=np.float32)
    from PIL import Image

    names = sorted(os.listdir(folder))[:count]
    pictures = [Image.open(os.path.join(folder, n)).convert("RGB").resize((SIZE, SIZE)) for n in names]
    return np.stack([np.asarray(p) for p in pictures]).astype(np.float32) / np.float32(255)


def boxes(images, each=8):
    """Rows of image, class, cx, cy, w, h."""
    import numpy as np

    draw = np.random.default_rng(1)
    n = images * each
    centres, sides = draw.uniform(0.2, 0.8, (2, n)), draw.uniform(0.05, 0.4, (2, n))
    return np.stack([np.arange(n) // each, draw.integers(0, 80, n), *centres, *sides], 1).astype(np.float32)


class Ours:
    """Our program, one process, asked for one run at a time."""

    def __init__(self, options, files):
        self.command = [options.bench, "--weights", options.weights]
        for name, path in files.items():
            self.command += ["--" + name, path]
        head = subprocess.run([options.bench, "--json", "--only", "none"], check=True, capture_output=True, text=True)
        self.machine = json.loads(head.stdout.splitlines()[0])
        self.process = None

    def output(self, path):
        import numpy as np

        subprocess.run([*self.command, "--output", path], check=True)
        return np.load(path)

    def ask(self, line):
        if not self.process:
            pipe = subprocess.PIPE
            self.process = subprocess.Popen([*self.command, "--serve"], stdin=pipe, stdout=pipe, text=True)
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def run(self, case):
        answer = self.ask(case)
        return answer["wall_ms"], answer["cpu_ms"]


def timed(work):
    """Runs work; wall and CPU time (all threads of this process) in ms."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return 1e3 * (time.perf_counter() - wall), 1e3 * (time.process_time() - cpu)


def load_torch(path):
    import torch

    checkpoint = torch.load(path, map_location="cpu", weights_only=False)
    model = (checkpoint.get("ema") or checkpoint["model"]).float()
    model.args = SimpleNamespace(box=7.5, cls=0.5, dfl=1.5)
    for name, parameter in model.named_parameters():
        parameter.requires_grad_("dfl" not in name)
    return model


def torch_forward(path, nchw):
    import torch

    model = load_torch(path).fuse(verbose=False).eval()
    x = torch.from_numpy(nchw)

    def run():
        with torch.inference_mode():
            out = model(x)
        return (out[0] if isinstance(out, (tuple, list)) else out).numpy()

    return run


def onnx_forward(path, nchw, threads):
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.add_session_config_entry("session.force_spinning_stop", "1")  # not into another engine's turn
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return lambda: session.run(None, {name: nchw})[0]


def torch_step(path, nchw, targets):
    """Forward, loss, backward, clipping and AdamW; no averaging of the weights, which ours includes."""
    import torch

    model = load_torch(path).train()
    groups = {"weight": [], "bn": [], "bias": []}
    for module in model.modules():
        for name, parameter in module.named_parameters(recurse=False):
            kind = "bias" if "bias" in name else "bn" if isinstance(module, torch.nn.BatchNorm2d) else "weight"
            groups[kind].append(parameter)
    decay = {"weight": 0.0005, "bn": 0.0, "bias": 0.0}
    optimizer = torch.optim.AdamW([{"params": p, "weight_decay": decay[k]} for k, p in groups.items()], lr=1e-6)
    rows = torch.from_numpy(targets[targets[:, 0] < len(nchw)])
    batch = {"img": torch.from_numpy(nchw), "batch_idx": rows[:, 0], "cls": rows[:, 1:2], "bboxes": rows[:, 2:]}

    def run():
        optimizer.zero_grad()
        loss, items = model.loss(batch)
        loss.sum().backward()
        norm = torch.nn.utils.clip_grad_norm_(model.parameters(), 10.0)
        optimizer.step()
        values = items.values() if isinstance(items, dict) else items
        return [float(v) for v in values][:3], float(norm)

    return run


def check(what, limit, value):
    verdict = "" if value <= LIMITS[limit] else f"  over the limit of {LIMITS[limit]:g}"
    print(f"  {what}: largest {limit} difference {value:.3g}{verdict}")
    return not verdict


def compare_outputs(name, ours, theirs):
    import numpy as np

    theirs = theirs.reshape(ours.shape)
    difference = np.abs(ours - theirs)
    return [check(name, "probability", float(difference[4:].max())),
            check(name, "box", float(difference[:4].max()))]


def rounds(engines, count):
    """Every engine once a round, starting one further each time; the first two rounds are not counted."""
    times = {name: [] for name, _ in engines}
    for i in range(count + 2):
        for k in range(len(engines)):
            name, run = engines[(i + k) % len(engines)]
            result = run()
            if i >= 2:
                times[name].append(result)
            time.sleep(0.05)  # idle threads of the one before stop spinning
    return times


def summarise(case, threads, times, versions, table):
    import numpy as np

    ours = np.array(times["retort"])
    for name, values in times.items():
        v = np.array(values)
        row = {"case": case, "threads": threads, "engine": name, "version": versions[name], "runs": len(v)}
        for column, kind in ((0, "wall"), (1, "cpu")):
            row[f"{kind}_min_ms"] = round(float(v[:, column].min()), 1)
            row[f"{kind}_median_ms"] = round(float(np.median(v[:, column])), 1)
            row[f"{kind}_min_ratio"] = round(float(v[:, column].min() / ours[:, column].min()), 2)
            row[f"{kind}_median_ratio"] = round(float(np.median(v[:, column]) / np.median(ours[:, column])), 2)
        table.append(row)
        print(f"{case:12} {threads} threads  {name:12} wall {row['wall_min_ms']:9.1f} ({row['wall_median_ms']:9.1f})"
              f" x {row['wall_min_ratio']:.2f} ({row['wall_median_ratio']:.2f})   cpu {row['cpu_min_ms']:9.1f}"
              f" ({row['cpu_median_ms']:9.1f}) x {row['cpu_min_ratio']:.2f} ({row['cpu_median_ratio']:.2f})", flush=True)


def forward(options, ours, nchw, versions, table):
    import torch

    raw = ours.output(os.path.join(FOLDER, "output.npy"))
    for threads in numbers(options.threads):
        torch.set_num_threads(threads)
        onnx, pytorch = onnx_forward(options.onnx, nchw[:1], threads), torch_forward(options.weights, nchw[:1])
        if not all(compare_outputs("onnxruntime", raw, onnx()) + compare_outputs("pytorch", raw, pytorch())):
            return False
        case = f"forward-640-t{threads}"
        engines = [("retort", lambda: ours.run(case)), ("onnxruntime", lambda: timed(onnx)),
                   ("pytorch", lambda: timed(pytorch))]
        summarise("forward-640", threads, rounds(engines, options.rounds), versions, table)
        ours.ask("-" + case)
    return True


def steps(options, ours, nchw, targets, versions, table):
    import torch

    torch.set_num_threads(options.step_threads)
    for batch in numbers(options.batches):
        case = f"step-{SIZE}x{batch}-t{options.step_threads}"
        first, run = ours.ask(case), torch_step(options.weights, nchw[:batch], targets)
        loss, norm = run()
        apart = max(abs(a - b) / abs(b) for a, b in zip(first["first_loss"], loss))
        if not all([check(f"pytorch, batch {batch} (relative)", "loss", apart),
                    check(f"pytorch, batch {batch} (relative)", "norm", abs(first["first_norm"] - norm) / norm)]):
            return False
        engines = [("retort", lambda: ours.run(case)), ("pytorch", lambda: timed(run))]
        summarise(f"step-{SIZE}x{batch}", options.step_threads, rounds(engines, options.step_rounds), versions, table)
        ours.ask("-" + case)
    return True


def write_table(options, machine, table):
    name = re.sub(r"[^a-z0-9]+", "-", f"{machine['cpu']} {machine['isa']}".lower()).strip("-")
    path = os.path.join("bench/results", name + ".csv")
    os.makedirs("bench/results", exist_ok=True)
    done = {(row["case"], str(row["threads"])) for row in table}
    if os.path.exists(path):  # what this commit measured before and did not measure again
        with open(path, newline="") as file:
            old = [row for row in csv.DictReader(file) if row["commit"] == options.commit]
        table = [row for row in old if (row["case"], row["threads"]) not in done] + table
    about = {"commit": options.commit, "cpu": machine["cpu"], "isa": machine["isa"], "plan": machine["plan"]}
    with open(path, "w", newline="") as file:
        writer = csv.DictWriter(file, [*about, *(k for k in table[-1] if k not in about)], lineterminator="\n")
        writer.writeheader()
        writer.writerows(about | row for row in table)
    print("written:", path)


def main():
    options = arguments()
    enter_environment()
    for path in (options.weights, options.onnx):
        if not os.path.exists(path):
            sys.exit(f"{path} is absent: not compared")
    import numpy as np
    import onnxruntime
    import torch

    os.makedirs(FOLDER, exist_ok=True)
    count = max([1] + numbers(options.batches))
    nhwc, targets = picture_batch(options.pictures, count), boxes(count)
    files = {"input": os.path.join(FOLDER, "input.npy"), "targets": os.path.join(FOLDER, "targets.npy")}
    np.save(files["input"], nhwc.reshape(-1, 3))
    np.save(files["targets"], targets)
    nchw = np.ascontiguousarray(nhwc.transpose(0, 3, 1, 2))

    ours = Ours(options, files)
    print(f"{ours.machine['cpu']}, {ours.machine['isa']}, commit {options.commit}")
    print("outputs first; then ms, minimum (median), and how many times ours:")
    versions = {"retort": options.commit, "onnxruntime": onnxruntime.__version__, "pytorch": torch.__version__}
    table = []
    good = forward(options, ours, nchw, versions, table) and steps(options, ours, nchw, targets, versions, table)
    if table:
        write_table(options, ours.machine, table)
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
