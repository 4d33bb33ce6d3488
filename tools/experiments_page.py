#!/usr/bin/env python3
"""Turns the rows of tools/experiments.py into docs/experiments.md and its plots (needs matplotlib).

Every verdict is computed from the rows, from differences camera by camera: a shape holds when all of its differences
are surely above 0 (Student's t, 95 %), does not when one, taken alone, is surely below, and is undecided otherwise.
What has no rows yet is left out.
"""
import argparse
import os
from statistics import mean, stdev

import bounds
import rows as results

FILTERS = ["farthest-first", "random", "least-confidence", "tfdp", "moderate"]
MASKS = ["gradient", "random", "first-last", "first", "last"]
FRACTIONS = ["0.2", "0.1", "0.05", "0.01"]


def arguments():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--results", default="bench/results/experiments.csv")
    p.add_argument("--page", default="docs/experiments.md")
    p.add_argument("--plots", default="docs/experiments", help="folder of the plots")
    return p.parse_args()


SEEDS = [0, 1, 2]
SETTINGS = ["group", "camera", "filter", "gamma", "budget", "epochs", "mask", "fraction", "seed"]


class Rows:
    def __init__(self, path):
        """Of rows with the same settings, made with other weights or another world, the last one counts."""
        self.all = list({tuple(row[k] for k in SETTINGS): row for row in results.read(path)}.values())

    def some(self, **wanted):
        return [r for r in self.all if all(r[k] == str(v) for k, v in wanted.items())]

    def cameras(self, drawn=True):
        return sorted({r["camera"] for r in self.all if (r["group"] != "expressway") == drawn}, key=int)

    def after(self, camera, **wanted):
        """With seed 0, so that all are single draws; None without a row."""
        found = self.some(camera=camera, seed=0, **wanted)
        return float(found[0]["after"]) if found else None

    def of_all(self, cameras, **wanted):
        """A value for each camera, or none where one is missing."""
        values = [self.after(c, **wanted) for c in cameras]
        return [] if None in values else values

    def means_over_seeds(self, cameras, **wanted):
        """A value for each camera, or none where one of SEEDS is missing."""
        found = [[r for seed in SEEDS for r in self.some(camera=c, seed=seed, **wanted)] for c in cameras]
        return [mean(float(r["after"]) for r in of_camera) for of_camera in found] \
            if all(len(of_camera) == len(SEEDS) for of_camera in found) else []

    def column(self, cameras, name):
        """A value for each camera, or none where one is missing."""
        values = [next((float(r[name]) for r in self.all if r["camera"] == c and r[name]), None) for c in cameras]
        return [] if None in values else values

    def seed_spread(self, **wanted):
        """Standard deviation over the seeds of one camera, mean over the cameras; 0 with one seed."""
        spreads = []
        for camera in self.cameras():
            found = [float(r["after"]) for r in self.some(camera=camera, **wanted)]
            if len(found) > 1:
                spreads.append(stdev(found))
        return mean(spreads) if spreads else 0


def spread(values):
    return f"{mean(values):.3f} ± {stdev(values) if len(values) > 1 else 0:.3f}"


def table(heads, rows):
    lines = ["| " + " | ".join(heads) + " |", "|" + "---|" * len(heads)]
    return "\n".join(lines + ["| " + " | ".join(map(str, row)) + " |" for row in rows]) + "\n"


def filter_kinds():
    """(shown name, what to look for), at budget 32 and gamma 8; SBAD takes the first 32 candidates, SBAD-8 all 256."""
    kinds = [(f, dict(filter=f, gamma=8, budget=32, mask="full")) for f in FILTERS]
    return kinds + [("SBAD", dict(filter="none", gamma=1, budget=32, mask="full")),
                    ("SBAD-8", dict(filter="none", gamma=8, budget=32, mask="full"))]


def by_camera(rows, cameras, kinds):
    before = rows.column(cameras, "before")
    lines = [["student before", *(f"{b:.3f}" for b in before), spread(before), "", ""]]
    for name, wanted in kinds:
        values = rows.of_all(cameras, **wanted)
        if values:
            gains = [v - b for v, b in zip(values, before)]
            lines.append([name, *(f"{v:.3f}" for v in values), spread(values), spread(gains),
                          f"{rows.seed_spread(**wanted):.3f}" if rows.seed_spread(**wanted) else ""])
    teacher = rows.column(cameras, "teacher")
    if teacher:
        lines.append(["teacher", *(f"{t:.3f}" for t in teacher), spread(teacher), "", ""])
    return table(["", *(f"camera {c}" for c in cameras), "mean", "gain", "over seeds"], lines)


def masked_against_full(rows, cameras):
    """Hundredths of mAP50-95 for each mask: for each fraction a number for each camera."""
    full = rows.of_all(cameras, group="filter", filter="farthest-first", gamma=8, budget=32, mask="full")
    lost = {}
    for mask in MASKS:
        cells = [rows.of_all(cameras, mask=mask, fraction=f) for f in FRACTIONS]
        if full and all(cells):
            lost[mask] = [[100 * (v - w) for v, w in zip(cell, full)] for cell in cells]
    return lost


def mask_table(lost):
    cells = {mask: [f"{mean(x):+.1f} ± {bounds.error(x):.1f}" for x in of_mask] for mask, of_mask in lost.items()}
    return table(["mask", *(f"{100 * float(f):g} %" for f in FRACTIONS)], [[mask, *row] for mask, row in cells.items()])


# ---- Verdicts ----


def minus(a, b):
    """Camera by camera; None where one of them has no rows."""
    return [x - y for x, y in zip(a, b)] if a and b else None


def verdict(differences):
    """Of a shape that says that every one of these means over cameras is above 0."""
    signs = [bounds.sign(d) for d in differences]
    return "does not hold" if -1 in signs else "holds" if all(signs) else "undecided"


def verdicts(rows, cameras, masked):
    def m(**wanted):
        return rows.of_all(cameras, **wanted)

    ff, random, least, tfdp, moderate = (m(filter=f, gamma=8, budget=32, mask="full") for f in FILTERS)
    sbad, sbad8 = m(filter="none", gamma=1, budget=32), m(filter="none", gamma=8, budget=32)
    gammas = [sbad, *(m(filter="farthest-first", gamma=g, budget=32, mask="full") for g in (2, 4, 8))]
    budgets = [m(filter="farthest-first", gamma=2, budget=b, mask="full") for b in (16, 32, 64, 128)]
    before, coded, teacher, teacher_coded = (
        rows.column(cameras, n) for n in ("before", "before_as_coded", "teacher", "teacher_as_coded"))
    seeds = rows.seed_spread(filter="farthest-first", gamma=8, budget=32, mask="full")
    found = []

    def judge(name, what, *differences, margin=0):
        """margin: how far below 0 is not yet worse."""
        if None not in differences:
            found.append([name, what, verdict([[x + margin for x in d] for d in differences]),
                          ", ".join(f"{mean(d):+.3f} ± {bounds.error(d):.3f}" for d in differences)])

    judge("D1", "farthest-first is better than random, least-confidence, TFDP, moderate",
          *(minus(ff, other) for other in (random, least, tfdp, moderate)))
    judge("D1", "farthest-first is better than random, means over three seeds",
          minus(*(rows.means_over_seeds(cameras, filter=f, gamma=8, budget=32, mask="full") for f in FILTERS[:2])))
    judge("D1", f"farthest-first and SBAD-8 differ by less than the seeds ({seeds:.3f})", minus(ff, sbad8),
          minus(sbad8, ff), margin=seeds)
    judge("D2", "SBAD is better than TFDP, moderate", minus(sbad, tfdp), minus(sbad, moderate))
    judge("D3", "200 iterations beat the student before: fair, as coded", minus(ff, before), minus(ff, coded))
    judge("D4", "the largest budget beats the teacher: fair", minus(budgets[-1], teacher))
    judge("D4", "the same, teacher as coded", minus(budgets[-1], teacher_coded))
    first, *others = (minus(b, a) for a, b in zip(gammas, gammas[1:]))
    judge("D5", "gamma 1, 2, 4, 8: the first step gains more than the second, the third",
          *(minus(first, other) for other in others))
    judge("D6", f"budgets 16, 32, 64, 128: no step loses more than the seeds ({seeds:.3f})",
          *(minus(b, a) for a, b in zip(budgets, budgets[1:])), margin=seeds)
    judge("D7", "random and least-confidence are below farthest-first and above TFDP and moderate",
          *(minus(ff, x) for x in (random, least)), *(minus(x, y) for x in (random, least) for y in (tfdp, moderate)))
    found.append(["D8", "one of gamma candidates is uploaded, none for validation (`--val none`)", "by construction",
                  ""])
    lost = masked_against_full(rows, masked)
    if len(lost) == len(MASKS):
        order = [(a, b) for pair in (MASKS[:2], MASKS[1:3], [MASKS[2], MASKS[3]], [MASKS[2], MASKS[4]])
                 for a, b in zip(*(lost[mask] for mask in pair))]
        found.append(["A5", "gradient > random > first-last > first, last at every fraction",
                      verdict([minus(a, b) for a, b in order]), "the table of masks"])
        gradient = [x / 100 for x in lost["gradient"][0]]
        judge("A5", f"gradient at 20 % loses no more than the seeds ({seeds:.3f}) against all weights", gradient,
              margin=seeds)
    return table(["", "shape", "here", "differences"], found)


# ---- Plots ----


def plot(path, xs, gains, x_label, x_log=False):
    """gains: of the cameras, for each x."""
    import matplotlib
    matplotlib.use("svg")
    import matplotlib.pyplot as plt
    matplotlib.rcParams.update({"svg.hashsalt": "retort", "font.size": 11, "svg.fonttype": "none"})
    figure, axes = plt.subplots(figsize=(7, 3.6))
    for x, values in zip(xs, gains):
        axes.plot([x] * len(values), values, "o", color="0.7", markersize=4)
    spreads = [stdev(v) if len(v) > 1 else 0 for v in gains]
    axes.errorbar(xs, [mean(v) for v in gains], yerr=spreads, marker="o", capsize=4, linestyle="-" if x_log else "none")
    if x_log:
        axes.set_xscale("log", base=2)
        axes.set_xticks(xs, [str(x) for x in xs])
        axes.minorticks_off()
    axes.set_xlabel(x_label)
    axes.set_ylabel("gain in mAP50-95")
    axes.grid(axis="y", alpha=0.3)
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)


def plots(rows, cameras, folder):
    os.makedirs(folder, exist_ok=True)
    filters = [(name.replace("-", "-\n") if len(name) > 8 else name, wanted) for name, wanted in filter_kinds()]
    gammas = [(g, dict(filter="farthest-first" if g > 1 else "none", gamma=g, budget=32, mask="full"))
              for g in (1, 2, 4, 8)]
    budgets = [(b, dict(filter="farthest-first", gamma=2, budget=b, mask="full")) for b in (16, 32, 64, 128)]
    before, made = rows.column(cameras, "before"), set()
    for name, points, label in (("filters", filters, "filter, at equal budget"),
                                ("gamma", gammas, "candidates for each frame of the budget"),
                                ("budget", budgets, "frames of the budget")):
        values = [rows.of_all(cameras, **wanted) for _, wanted in points]
        if all(values):
            gains = [[v - b for v, b in zip(of_x, before)] for of_x in values]
            plot(f"{folder}/{name}.svg", [x for x, _ in points], gains, label, x_log=name != "filters")
            made.add(name)
    return made


def picture(made, folder, page, name, text):
    where = os.path.relpath(f"{folder}/{name}.svg", os.path.dirname(page))
    return f"![{text}]({where})\n\n" if name in made else ""


def expressway_table(rows):
    cameras = rows.cameras(drawn=False)
    if not cameras:
        return ""
    kinds = [("farthest-first, 32 of 64", dict(filter="farthest-first", gamma=2)),
             ("random, 32 of 64", dict(filter="random", gamma=2)),
             ("the first 32", dict(filter="none", gamma=1)),
             ("farthest-first, 16 of 64", dict(filter="farthest-first", gamma=4)),
             ("random, 16 of 64", dict(filter="random", gamma=4))]
    kinds = [(name, dict(group="expressway", **wanted)) for name, wanted in kinds]
    return f"""## Real cameras

Expressway cameras, the first 64 of two thirds of their frames (camera 8706 has 63), labelled by people; the last third scores.
The drawn student at 320, one seed.

{by_camera(rows, cameras, kinds)}
"""


def page(rows, made, folder, path):
    cameras = rows.cameras()
    if not cameras:
        return "# Experiments\n\n" + expressway_table(rows)
    masked = sorted({r["camera"] for r in rows.some(group="mask")}, key=int)
    labels = " and ".join(sorted({r["labels"] for r in rows.all if r["group"] != "expressway"}))
    kinds = filter_kinds()
    gammas = [(f"gamma {g}", dict(filter="farthest-first", gamma=g, budget=32, mask="full")) for g in (2, 4, 8)]
    budgets = [(f"budget {b}", dict(filter="farthest-first", gamma=2, budget=b, mask="full"))
               for b in (16, 32, 64, 128)]
    text = f"""# Experiments

What the comparisons of the two papers look like here. `make experiments` repeats them (about four hours on two cores; it
goes on where it was interrupted) and `make experiments-page` writes this page from the rows in
[bench/results/experiments.csv](../bench/results/experiments.csv); the manifest of each row, with lists of files folded into
one hash, is the line of its number in experiments.jsonl beside it.

Drawn cameras ({", ".join(cameras)}): 2400 frames of a day each, `pico` as the student at 320, labels by {labels},
top-confidence selection, batch 16, 100 epochs without mosaic unless said otherwise, plan fast-0.1. Scored on 160 other
frames of the camera: mAP50-95 of vehicles, "before" and "teacher" with all boxes (fair). Figures are of seed 0; behind ± is
the standard deviation over cameras, "over seeds" is that of three seeds of one camera, mean over the cameras.

## Which shapes hold

A shape is a list of differences that ought to be above 0. Each is taken camera by camera; behind ± is the standard error
of the mean. It holds when all are above 0 with a confidence of 95 % (Student's t), does not hold when one of them, taken
alone, is below 0 with that confidence, and is undecided otherwise.

{verdicts(rows, cameras, masked)}
## Filters at equal budget

32 frames of 256 candidates. SBAD takes the first 32 candidates without a filter; SBAD-8 trains on all 256 for 12 epochs (192
iterations, 48 of them warm-up, against 200 and 6) and uploads eight times as much.

{picture(made, folder, path, "filters", "gain by filter")}{by_camera(rows, cameras, kinds)}
"""
    if sum(bool(rows.of_all(cameras, **wanted)) for _, wanted in gammas) > 1:
        text += f"""## Candidates for each frame

Farthest-first, 32 frames. With gamma 1 there is nothing to choose from: that is SBAD above.

{picture(made, folder, path, "gamma", "gain by gamma")}{by_camera(rows, cameras, gammas)}
"""
    if any(rows.of_all(cameras, **wanted) for _, wanted in budgets):
        text += f"""## Budget

Farthest-first, gamma 2. Iterations grow with the budget, as in the paper.

{picture(made, folder, path, "budget", "gain by budget")}{by_camera(rows, cameras, budgets)}
"""
    if masked:
        text += f"""## Which weights move

Cameras {", ".join(masked)}, 32 frames, 200 iterations: points of mAP50-95 (in hundredths) against moving all
weights; behind ± is the standard error over cameras.

{mask_table(masked_against_full(rows, masked))}
"""
    return text + expressway_table(rows)


def main():
    a = arguments()
    rows = Rows(a.results)
    made = plots(rows, rows.cameras(), a.plots) if rows.cameras() else set()
    text = page(rows, made, a.plots, a.page).rstrip() + "\n"
    with open(a.page + ".part", "w") as f:
        f.write(text)
    os.replace(a.page + ".part", a.page)


main()
