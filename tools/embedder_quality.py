#!/usr/bin/env python3
"""Do an embedder's nearest neighbours show a camera in the same state?

For each held-out camera of `retort world`, frames of a whole day are embedded; some of them are probes, whose five nearest
neighbours are looked for among the camera's other frames. A state is light (night, rain, fog, low sun, day) and density
of traffic (thirds of this camera's counts of vehicles), both from the world's truth. Printed: the share of the neighbours
that are in the probe's state, its lower 95 % bound (Student's t over the cameras), and what chance would give. Exit
status 1 when the first embedder is not twice as good as chance, or not surely better than it, or not better than those
behind it.

    tools/embedder_quality.py weights/embedder.safetensors weights/pico.safetensors
"""
import argparse
import json
import os
import struct
import subprocess
import sys
from statistics import mean

import bounds
import worlds

CAMERAS = range(80001, 80011)  # weights/README.md: none of them is trained on
FRAMES, PROBES, NEIGHBOURS = 120, 20, 5  # of each camera
VEHICLES = {1, 2, 3, 5, 7}


def arguments():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("embedders", nargs="+", help="weight files; the first is the one that is judged")
    p.add_argument("--retort", default=os.environ.get("RETORT", "build/retort"))
    p.add_argument("--folder", default="run/embedder-quality", help="frames and vectors; frames are used again")
    return p.parse_args()


def render(retort, folder, seed):
    """12 minutes of the day and 100 seconds of motion from frame to frame."""
    out = f"{folder}/{seed}"
    worlds.make(retort, out, seed=seed, frames=FRAMES, fps=0.01, hours="0-24")
    with open(f"{out}/truth.jsonl") as lines:
        return [json.loads(line) for line in lines]


def light(truth):
    if truth["night"] >= 0.5:
        return "night"
    if truth["rain"] >= 0.1:
        return "rain"
    if truth["fog"] >= 0.002:
        return "fog"
    return "low sun" if truth["sun"] < 0.25 else "day"


def states(truths):
    counts = [sum(o["class_id"] in VEHICLES and not o["ignored"] for o in t["objects"]) for t in truths]
    ordered = sorted(counts)
    low, high = ordered[len(ordered) // 3], ordered[2 * len(ordered) // 3]
    return [(light(t), (n > low) + (n > high)) for t, n in zip(truths, counts)]


def vectors(retort, folder, seed, embedder):
    out = f"{folder}/{seed}.npy"
    subprocess.run([retort, "embed", "--quiet", "--model", embedder, "--frames", f"{folder}/{seed}/images", "--out", out],
                   check=True, stdout=subprocess.DEVNULL)
    with open(out, "rb") as file:
        data = file.read()
    start = 10 + struct.unpack_from("<H", data, 8)[0]
    flat = struct.unpack_from(f"<{(len(data) - start) // 4}f", data, start)
    dim = len(flat) // FRAMES
    return [flat[i * dim:(i + 1) * dim] for i in range(FRAMES)]


def shares(rows, truth):
    """For each probe: the share of its nearest neighbours, and of all others, in its state."""
    found = []
    for probe in range(FRAMES // PROBES // 2, FRAMES, FRAMES // PROBES):
        others = [i for i in range(FRAMES) if i != probe]
        near = sorted(others, key=lambda i: (-sum(a * b for a, b in zip(rows[i], rows[probe])), i))[:NEIGHBOURS]
        same = [truth[i] == truth[probe] for i in range(FRAMES)]
        found.append((sum(same[i] for i in near) / NEIGHBOURS, sum(same[i] for i in others) / len(others)))
    return found


def main():
    args = arguments()
    os.makedirs(args.folder, exist_ok=True)
    truths = {seed: states(render(args.retort, args.folder, seed)) for seed in CAMERAS}
    scores = []
    print(f"{'embedder':40} share   95 % from   chance   times chance")
    for embedder in args.embedders:
        found = [shares(vectors(args.retort, args.folder, seed, embedder), truths[seed]) for seed in CAMERAS]
        near, random = ([mean(f[k] for f in camera) for camera in found] for k in (0, 1))
        share, chance = mean(near), mean(random)
        scores.append((share, bounds.lower(near), chance))
        print(f"{embedder:40} {share:.3f}   {scores[-1][1]:.3f}       {chance:.3f}    {share / chance:.2f}")
    share, bound, chance = scores[0]
    good = share >= 2 * chance and bound > chance and all(share > other[0] for other in scores[1:])
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
