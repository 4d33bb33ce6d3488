#!/usr/bin/env python3
"""The comparisons of the D-SBAD paper and the mask table of the AMS paper, on drawn cameras and real ones.

Every run distils the same student on other frames, or moves other weights; all of it is scored on frames of the same
camera that no run sees. One row a run goes to bench/results/experiments.csv, and what its manifest says to the line of
the same number of experiments.jsonl beside it, lists of files folded into one hash (so `retort verify` does not read
it). A run that has its row is not repeated, an interrupted one goes on where it was; a folder that was begun with other
weights, or by a version that draws other pictures, is refused. tools/experiments_page.py turns the rows into
docs/experiments.md.

    make experiments                       # all of it: about four hours on two cores
    tools/experiments.py --cameras 7,11 --groups filter
"""
import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass

import expressway
import rows
import worlds

# weights/README.md: none of them is trained on. 7 is the demo's.
WORLD = [7, 11, 12, 13, 14, 15]
MASKED = WORLD[:3]  # the mask table takes 21 runs a camera
VEHICLES = "2,3,5,7"
# Rows do not say a plan: all are of this one, which version 0.1, that made the first, called fast.
PLAN = "fast-0.1"
WITH_PLAN = ["detect", "distill", "embed", "eval", "label"]
FIELDS = ["group", "camera", "filter", "gamma", "budget", "frames", "epochs", "iterations", "mask", "fraction", "seed",
          "labels", "student", "labeller", "embedder", "world", "before", "before_as_coded", "after", "teacher",
          "teacher_as_coded", "weights"]
# Student, labeller (the teacher, where it labels) and embedder are hashes of weights; world is how pictures are drawn.
IDENTITY = ["camera", "filter", "gamma", "budget", "epochs", "mask", "fraction", "seed", "labels", "student",
            "labeller", "embedder", "world"]


@dataclass(frozen=True)
class Run:
    group: str
    filter: str = "farthest-first"
    gamma: int = 8
    budget: int = 32
    epochs: int = 100
    mask: str = "full"
    fraction: float = 1.0
    seed: int = 0

    @property
    def frames(self):
        """All candidates are trained on where nothing is filtered."""
        return self.budget * self.gamma if self.filter == "none" else self.budget

    @property
    def name(self):
        mask = "" if self.mask == "full" else f"-{self.mask}-{self.fraction:g}"
        return f"{self.filter}-g{self.gamma}-b{self.budget}-e{self.epochs}{mask}-s{self.seed}"


def world_runs(camera):
    runs = [Run("filter", f, seed=s) for f in ("farthest-first", "random") for s in range(3)]
    runs += [Run("filter", f) for f in ("least-confidence", "tfdp", "moderate")]
    runs += [Run("filter", "none", gamma=1, seed=s) for s in range(3)]  # SBAD
    runs += [Run("filter", "none", gamma=8, epochs=12)]  # SBAD-8: as many iterations
    runs += [Run("gamma", gamma=g) for g in (2, 4)]
    runs += [Run("budget", gamma=2, budget=b) for b in (16, 64, 128)]
    if camera in MASKED:
        runs += [Run("mask", mask=m, fraction=f) for m in ("gradient", "random", "first", "last", "first-last")
                 for f in (0.2, 0.1, 0.05, 0.01)]
    return runs


def expressway_runs():
    """What pools of 64 frames allow."""
    return [Run("expressway", "farthest-first", gamma=2), Run("expressway", "random", gamma=2),
            Run("expressway", "none", gamma=1), Run("expressway", "farthest-first", gamma=4, budget=16),
            Run("expressway", "random", gamma=4, budget=16)]


QUICK = [Run("filter", f, gamma=2, budget=4, epochs=1) for f in ("farthest-first", "tfdp", "none")]


def arguments():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--retort", default=os.environ.get("RETORT", "build/retort"))
    p.add_argument("--weights", default="weights", help="pico, teacher and embedder")
    p.add_argument("--expressway", default="../shared/data/expressway", help="cam*/images, cam*/labels, cameras.csv")
    p.add_argument("--folder", help="frames and runs (run/experiments, with --quick run/experiments-quick)")
    p.add_argument("--results", help="rows (bench/results/experiments.csv, with --quick in the folder)")
    p.add_argument("--cameras", default=",".join(map(str, WORLD + expressway.CAMERAS)))
    p.add_argument("--groups", default="filter,gamma,budget,mask,expressway")
    p.add_argument("--threads", default="0")
    p.add_argument("--quick", action="store_true", help="a few tiny frames and steps, to see whether all of it runs")
    a = p.parse_args()
    a.folder = a.folder or ("run/experiments-quick" if a.quick else "run/experiments")
    a.results = a.results or (os.path.join(a.folder, "experiments.csv") if a.quick else "bench/results/experiments.csv")
    return a


class Camera:
    """A stream, the frames that score, and what every run needs to know of the stream."""

    def __init__(self, a, name):
        self.a, self.name, self.folder = a, str(name), os.path.join(a.folder, str(name))
        self.size = "160" if a.quick else "320"
        self.student, self.teacher, self.embedder = (os.path.join(a.weights, name + ".safetensors")
                                                     for name in ("pico", "teacher", "embedder"))
        os.makedirs(self.folder, exist_ok=True)
        recipe = json.dumps({"quick": a.quick, "world": self.world(),
                             **{w: rows.hash_of(w) for w in (self.student, self.teacher, self.embedder)}})
        if not os.path.exists(self.path("recipe.json")):
            self.write(self.path("recipe.json"), recipe)
        with open(self.path("recipe.json")) as f:
            if f.read() != recipe:
                sys.exit(f"experiments: {self.folder} was begun with other weights or another world: remove it, "
                         "or give another --folder")

    def path(self, *parts):
        return os.path.join(self.folder, *parts)

    def scored(self):
        return self.path("scored")

    def embeds(self):
        return self.embedder if os.path.exists(self.embedder) else self.student

    def world(self):
        return ""

    def labeller(self):
        return rows.hash_of(self.teacher) if self.label_source() == "teacher" else ""

    def retort(self, command, *options, out=None):
        """Runs it. out: a file that it makes, which stands for having run."""
        if out and os.path.exists(out):
            return None
        plan = ["--plan", PLAN] if command in WITH_PLAN else []
        words = [self.a.retort, command, "--quiet", "--threads", self.a.threads, *plan, *map(str, options)]
        done = subprocess.run(words, stdout=subprocess.PIPE, check=True, text=True)
        return done.stdout

    def write(self, path, text):
        with open(path + ".part", "w") as f:
            f.write(text)
        os.replace(path + ".part", path)

    def describe(self):
        """Detections and embeddings of the whole stream, from which frames are then chosen many times."""
        found = self.path("found.jsonl")
        if not os.path.exists(found):
            self.write(found, self.retort("detect", "-m", self.student, "--size", self.size, "-f", self.stream(),
                                          "--json"))
        vectors = self.path("vectors.npy")
        self.retort("embed", "-m", self.embeds(), "-f", self.stream(), "-o", vectors, out=vectors)

    def candidates(self, run):
        return run.budget * run.gamma

    def choose(self, run):
        """The run's frames, in stream order."""
        chosen = self.path(run.name + ".jsonl")
        candidates = self.path(f"candidates-{self.candidates(run)}.jsonl")
        self.retort("select", "-c", self.path("found.jsonl"), "-n", self.candidates(run), *self.select_options(),
                    "--classes", VEHICLES, "-o", candidates, out=candidates)
        self.retort("filter", "--selection", candidates, "-e", self.path("vectors.npy"), "-f", self.path("found.jsonl"),
                    "-r", run.filter, "-n", run.frames, "--allow-short", "--classes", VEHICLES, "-s", run.seed,
                    "-o", chosen, out=chosen)
        with open(chosen) as lines:
            frames = [json.loads(line) for line in lines]
        return [frame["file"] for frame in frames if frame.get("reason") == "selected"]

    def identity(self, run):
        """The fields of a row that are known before the run and tell it from the others."""
        values = [self.name, run.filter, run.gamma, run.budget, run.epochs, run.mask, run.fraction, run.seed,
                  self.label_source(), rows.hash_of(self.student), self.labeller(), rows.hash_of(self.embeds()),
                  self.world()]
        return dict(zip(IDENTITY, map(str, values)))

    def run(self, run):
        files = [self.frame(f) for f in self.choose(run)]
        if len(files) < run.frames - self.may_lack:
            sys.exit(f"experiments: camera {self.name}: {run.name} found {len(files)} frames, expected {run.frames}")
        frames, out = self.path(run.name + ".txt"), self.path(run.name)
        self.write(frames, "".join(f + "\n" for f in files))
        labels = self.labels(run, files)
        manifest = self.path(run.name + ".json")
        mask = [] if run.mask == "full" else ["--mask", run.mask, "--fraction", run.fraction]
        resume = ["--resume"] if os.path.exists(out) else []
        printed = self.retort(
            "distill", "-m", self.student, "-f", frames, "--teacher-labels", labels, *self.label_options(), "-o", out,
            "--select", "all", "--filter", "none", "--gamma", 1, "--budget", len(files), "--val", "none",
            "--test", self.scored(), "--epochs", run.epochs, "--batch", 16, "--nominal-batch", 16,
            "--mosaic", 0, "--size", self.size, "--seed", run.seed, *mask, *resume, "--manifest", manifest, "--json")
        result = json.loads(printed)
        number = lambda key: f"{result[key]['map50_95']:.4f}" if key in result else ""
        teacher, teacher_as_coded = self.teacher_scores()
        return {"group": run.group, **self.identity(run), "frames": len(files), "iterations": result["iterations"],
                "before": number("before"), "before_as_coded": number("before_as_coded"), "after": number("after"),
                "teacher": teacher, "teacher_as_coded": teacher_as_coded,
                "weights": result["weights_hash"]}, brief(manifest)


class WorldCamera(Camera):
    """Drawn. The teacher's weights label, or the truth where there are none."""
    may_lack = 0

    def __init__(self, a, name):
        super().__init__(a, name)
        picture, frames, scored = ("320x180", 80, 8) if a.quick else ("640x360", 2400, 160)
        self.warmup = 10 if a.quick else 120
        world = {"threads": a.threads, "seed": int(name), "size": picture}
        worlds.make(a.retort, self.path("stream"), **world, frames=frames, fps=2, hours="6-22")
        worlds.make(a.retort, self.path("scored"), **world, frames=scored, fps=0.01, hours="6:30-22:30")
        self.describe()

    def world(self):
        return worlds.format_of(self.a.retort)

    def stream(self):
        return self.path("stream", "images")

    def frame(self, file):
        return self.path("stream", "images", os.path.basename(file))

    def select_options(self):
        return ["--warmup", self.warmup, "--alpha", 0.1, "--at-end", "relax"]

    def label_source(self):
        return "teacher" if os.path.exists(self.teacher) else "truth"

    def label_options(self):
        return ["--label-classes", VEHICLES, "--vehicle-classes", VEHICLES]

    def labels(self, run, files):
        """A folder for each run, so that its manifest does not depend on what ran before."""
        if self.label_source() == "truth":
            return self.path("stream", "labels")
        known, own = self.path("labels"), self.path(run.name + "-labels")
        new = [f for f in files if not os.path.exists(os.path.join(known, expressway.label_of(f)))]
        if new:
            self.write(self.path("new.txt"), "".join(f + "\n" for f in new))
            self.retort("label", "-T", self.teacher, "--keep-classes", "--size", 512, "-f", self.path("new.txt"),
                        "-o", known)
        os.makedirs(own, exist_ok=True)
        for f in files:
            shutil.copyfile(os.path.join(known, expressway.label_of(f)), os.path.join(own, expressway.label_of(f)))
        return own

    def teacher_scores(self):
        """As it is, and by the rule of the paper's code: boxes above confidence 0.4, of any class."""
        if self.label_source() == "truth":
            return "", ""
        scores = self.path("teacher.json")
        if not os.path.exists(scores):
            rules = [["--vehicle-classes", VEHICLES], ["--vehicle-classes", "0,1,2,3,4,5,6,7", "--confidence", 0.4]]
            printed = [self.retort("eval", "-m", self.teacher, "-d", self.scored(), "--size", 512,
                                   "--label-classes", VEHICLES, *rule, "--json") for rule in rules]
            self.write(scores, json.dumps([json.loads(p)["map50_95"] for p in printed]))
        with open(scores) as f:
            return tuple(f"{score:.4f}" for score in json.load(f))


class ExpresswayCamera(Camera):
    """Real. A third of the frames scores; people labelled them all. Pools are of 63 frames and more."""
    may_lack = 1

    def __init__(self, a, name):
        super().__init__(a, name)
        self.source = os.path.join(a.expressway, "cam" + name)
        pool = expressway.split(a.expressway, name, self.path("scored"))[:64]
        self.write(self.path("stream.txt"), "".join(f + "\n" for f in pool))
        self.pool, self.limit = len(pool), expressway.limit(a.expressway, name)
        self.describe()

    def stream(self):
        return self.path("stream.txt")

    def candidates(self, run):
        return min(super().candidates(run), self.pool)

    def frame(self, file):
        return os.path.join(self.source, "images", os.path.basename(file))

    def select_options(self):
        return ["--rule", "n-first", "--empty-is-zero"]

    def label_source(self):
        return "people"

    def label_options(self):
        return ["--label-classes", "0,1,2,4", "--vehicle-classes", VEHICLES, "--ignore-above", self.limit]

    def labels(self, run, files):
        return os.path.join(self.source, "labels")

    def teacher_scores(self):
        return "", ""


def brief(path):
    """The manifest with every list of files as one hash."""
    with open(path) as f:
        manifest = json.load(f)
    for entry in manifest["inputs"] + manifest["outputs"]:
        files = entry.pop("files", None)
        if files:
            text = json.dumps(files, sort_keys=True).encode()
            entry.update(file_count=len(files), sha256_of_list=hashlib.sha256(text).hexdigest())
    return manifest


def add(path, row, manifest):
    """Manifests first: a line too many is cut off again by the next run."""
    known, beside = rows.read(path), os.path.splitext(path)[0] + ".jsonl"
    lines = []
    if os.path.exists(beside):
        with open(beside) as f:
            lines = f.readlines()[:len(known)]
    with open(beside + ".part", "w") as f:
        f.writelines(lines + [json.dumps({"row": len(known) + 1, "manifest": manifest}) + "\n"])
    os.replace(beside + ".part", beside)
    rows.write(path, FIELDS, known + [row])


def main():
    a = arguments()
    groups = a.groups.split(",")
    for name in a.cameras.split(","):
        real = name in expressway.CAMERAS
        if real and not os.path.isdir(a.expressway):
            print(f"experiments: camera {name} not run, {a.expressway} is absent", file=sys.stderr)
            continue
        runs = QUICK if a.quick else expressway_runs() if real else world_runs(int(name))
        runs = [r for r in runs if r.group in groups]
        camera = (ExpresswayCamera if real else WorldCamera)(a, name) if runs else None
        known = [{field: row[field] for field in IDENTITY} for row in rows.read(a.results)]
        for r in runs:
            if camera.identity(r) in known:
                continue
            print(f"camera {name}: {r.name}", file=sys.stderr, flush=True)
            add(a.results, *camera.run(r))


main()
