"""The main job on fixed expressway cameras, three seeds, two ways to choose the frames: how much the student gains.

Every camera's frames, sorted by name: each third one scores, the rest is the stream. Human labels stand for the
teacher's. `spread` takes 32 frames evenly from the stream, `farthest-first` lets retort choose them from all of it.
A run of this student that is in the result file already is not repeated, whichever commit made it; an interrupted one
goes on where it was. Rows say "unknown" where they are older than a column. `make bench-tables` shows the result file
as tables. Run it from the project's folder, as `make main-job` does (docs/performance.md).
"""
import argparse
import json
import os
import subprocess
import sys

import expressway
import rows

BUDGET = 32
PLAN = "fast-0.1"  # rows of the result file were computed by it: version 0.1 called it fast
WAYS = {"spread": ["--filter", "none"], "farthest-first": ["--filter", "farthest-first", "--embedder", "detector"]}
FIELDS = ["way", "camera", "seed", "plan", "before50", "before50_95", "after50", "after50_95", "weights", "commit",
          "student"]


def arguments():
    p = argparse.ArgumentParser()
    p.add_argument("--retort", default="build/retort")
    p.add_argument("--weights", default="../shared/weights/yolo11n-coco.safetensors")
    p.add_argument("--data", default="../shared/data/expressway", help="cam*/images, cam*/labels, cameras.csv")
    p.add_argument("--out", default="build/main-job", help="folder of the runs")
    p.add_argument("--results", default="bench/results/main-job.csv")
    p.add_argument("--plan", default=PLAN)
    p.add_argument("--seeds", default="0,1,2")
    p.add_argument("--ways", default=",".join(WAYS))
    p.add_argument("--cameras", default=",".join(expressway.CAMERAS))
    p.add_argument("--threads", default="0")
    p.add_argument("--commit", default="unknown")
    return p.parse_args()


def prepare(a, camera):
    """The camera's test set, and the streams of both ways as lists of files."""
    target = os.path.join(a.out, camera)
    pool = expressway.split(a.data, camera, os.path.join(target, "test"))
    even = [pool[(2 * i * (len(pool) - 1) + BUDGET - 1) // (2 * (BUDGET - 1))] for i in range(BUDGET)]
    for way, chosen in (("spread", even), ("farthest-first", pool)):
        with open(os.path.join(target, way + ".txt"), "w") as f:
            f.writelines(os.path.abspath(path) + "\n" for path in chosen)


def run(a, way, camera, seed):
    prepare(a, camera)
    folder = os.path.join(a.out, f"{a.plan}-{way}-{camera}-{seed}")
    command = [a.retort, "distill", "-m", a.weights, "-f", os.path.join(a.out, camera, way + ".txt"), "-o", folder,
               "--teacher-labels", os.path.join(a.data, "cam" + camera, "labels"), "--label-classes", "0,1,2,4",
               "--vehicle-classes", "2,5,7", "--val", "none", "--test", os.path.join(a.out, camera, "test"),
               "--ignore-above", expressway.limit(a.data, camera), "--budget", str(BUDGET), "--gamma", "2",
               "--select", "all", *WAYS[way], "--epochs", "100", "--batch", "16", "--size", "640", "--seed", str(seed),
               "--plan", a.plan, "--threads", a.threads, "--json"]
    if os.path.exists(folder):
        command.append("--resume")
    print(f"{way}, camera {camera}, seed {seed}", file=sys.stderr, flush=True)
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True)
    result = json.loads(done.stdout)
    before, after = result["before"], result["after"]
    return dict(zip(FIELDS, [way, camera, str(seed), a.plan, *(f"{x:.4f}" for x in (
        before["map50"], before["map50_95"], after["map50"], after["map50_95"])), result["weights_hash"], a.commit,
        rows.hash_of(a.weights)]))


def main():
    a = arguments()
    if not os.path.isdir(a.data) or not os.path.exists(a.weights):
        sys.exit(f"main job: not run, {a.data} or {a.weights} is absent")
    for seed in a.seeds.split(","):
        for way in a.ways.split(","):
            for camera in a.cameras.split(","):
                known = [{name: r.get(name) or "unknown" for name in FIELDS} for r in rows.read(a.results)]
                wanted = (way, camera, seed, a.plan)
                same = [r for r in known if (r["way"], r["camera"], r["seed"], r["plan"]) == wanted]
                if not any(r["student"] in ("unknown", rows.hash_of(a.weights)) for r in same):
                    row = run(a, way, camera, seed)
                    rows.write(a.results, FIELDS, [r for r in known if r not in same] + [row])


main()
