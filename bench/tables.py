"""Writes the tables of README.md and docs/performance.md from bench/results/*.csv (make bench-tables).

Each table stands between <!-- NAME: begin --> and <!-- NAME: end -->. Of other engines the README shows the best in
each row, the documentation all. Of the main job the README shows mAP50-95 of both ways side by side, the documentation
every seed; means are over the seeds that have run.
"""
import csv
import glob
import os
import re
import statistics
import textwrap

WORK = {  # in the order of the tables
    "forward-640": "YOLO11n, 640 x 640, floats",
    "int8-640": "YOLO11n, 640 x 640, 8-bit integers",
    "vit-s-224": "ViT-S/14, 224 x 224",
    "step-640x4": "training step, 4 pictures of 640 x 640",
    "step-640x16": "training step, 16 pictures of 640 x 640",
    "step-320x16": "training step, 16 pictures of 320 x 320",
    "frame-640": "JPEG file of 640 x 360 to boxes",
    "farthest-first": "Farthest-First, 256 of 20000, random rows",
    "farthest-first-frames": "Farthest-First, 256 of 20000, rows of frames",
    "cold-640": "one picture at 640, whole process less the inference",
    "cold-320": "one picture at 320, whole process less the inference",
}
NAMES = {"retort": "ours", "onnxruntime": "ONNX Runtime", "pytorch": "PyTorch", "openvino": "OpenVINO", "numpy": "NumPy",
         "pillow": "Pillow", "cv2": "OpenCV"}
WAYS = ("spread", "farthest-first")
# mAP50-95 before and after, by the reference trainer's one run on the evenly spread frames of each camera.
REFERENCE = {"8701": (0.307, 0.396), "2703": (0.273, 0.354), "3704": (0.222, 0.318), "8706": (0.173, 0.343)}


def read(path):
    """Groups of rows, (case, threads) -> rows with ours first, in the order of WORK."""
    with open(path, newline="") as file:
        rows = [row for row in csv.DictReader(file) if row.get("case") in WORK]
    keys = sorted({(list(WORK).index(row["case"]), int(row["threads"])) for row in rows})
    cases = [(list(WORK)[k], threads) for k, threads in keys]
    return [[row for row in rows if (row["case"], int(row["threads"])) == key] for key in cases]


def name(engine):
    return " with ".join(NAMES.get(part, part) for part in engine.split("+"))


def number(text):
    value = float(text)
    return f"{value:.0f}" if abs(value) >= 200 else f"{value:.1f}"


def machine(groups):
    """Where and with what; a sentence for each commit that measured some of it."""
    first, parts = groups[0][0], []
    commits = list(dict.fromkeys(row["commit"] for group in groups for row in group))
    for commit in commits:
        rows, versions = [row for group in groups for row in group if row["commit"] == commit], {}
        for row in rows:
            if row["engine"] != "retort" and row["version"]:
                versions[name(row["engine"].split("+")[0])] = re.sub(r"\+.*", "", row["version"])
        peaks = {int(r["threads"]): (r["peak_before"], r["peak_after"]) for r in rows if r.get("peak_before")}
        cases = f" ({', '.join(dict.fromkeys(row['case'] for row in rows))})" if len(commits) > 1 else ""
        parts.append(f"commit {commit}{cases}; " + ", ".join(f"{n} {v}" for n, v in sorted(versions.items())) + ".")
        for threads, (before, after) in sorted(peaks.items()):
            parts[-1] += f" Peak of {threads} thread{'s' * (threads > 1)} before and after: {before} and {after} GFLOP/s."
    text = f"{first['cpu']}, {first['isa']}, plan {first['plan']}, " + " ".join(parts)
    return textwrap.fill(text, 118)


def short(groups):
    """Medians of the wall time; memory where it was measured."""
    lines = ["| work | threads | ours, ms | best other, ms | ratio | runs | memory, MB |", "|---" * 7 + "|"]
    for ours, *others in groups:
        best = min(others, key=lambda row: float(row["wall_median_ms"]))
        memory = f"{number(ours['peak_mb'])} : {number(best['peak_mb'])}" if ours.get("peak_mb") else ""
        lines.append(f"| {WORK[ours['case']]} | {ours['threads']} | {number(ours['wall_median_ms'])} | "
                     f"{name(best['engine'])} {number(best['wall_median_ms'])} | {float(best['wall_median_ratio']):.2f} | "
                     f"{ours['runs']} | {memory} |")
    return lines


def whole(groups):
    lines = ["| case | threads | engine | wall | ratio | CPU | ratio | peak MB | runs |", "|---" * 9 + "|"]
    for group in groups:
        for row in group:
            mine = row["engine"] == "retort"
            cells = [row["case"], row["threads"]] if mine else ["", ""]
            cells.append(name(row["engine"]))
            for kind in ("wall", "cpu"):
                cells.append(f"{number(row[kind + '_min_ms'])} ({number(row[kind + '_median_ms'])})")
                cells.append("" if mine else "{:.2f} ({:.2f})".format(*(float(row[f"{kind}_{which}_ratio"]) for which in ("min", "median"))))
            lines.append("| " + " | ".join([*cells, row.get("peak_mb") or "", row["runs"]]) + " |")
    return lines


def replace(path, mark, lines):
    with open(path) as file:
        text = file.read()
    begin, end = f"<!-- {mark}: begin -->", f"<!-- {mark}: end -->"
    before, rest = text.split(begin)
    after = rest.split(end)[1]
    with open(path + ".part", "w") as file:
        file.write("\n".join([before + begin, *lines, end]) + after)
    os.replace(path + ".part", path)


def read_job(path, plan):
    """way -> camera -> its rows, seeds ascending; cameras in the order of REFERENCE."""
    with open(path, newline="") as file:
        rows = sorted((row for row in csv.DictReader(file) if row["plan"] == plan), key=lambda row: int(row["seed"]))
    runs = {(way, camera): [row for row in rows if (row["way"], row["camera"]) == (way, camera)]
            for way in WAYS for camera in REFERENCE}
    return {way: {camera: runs[way, camera] for camera in REFERENCE if runs[way, camera]} for way in WAYS}


def mean(rows, column):
    return statistics.mean(float(row[column]) for row in rows)


def gain(rows):
    return mean(rows, "after50_95") - mean(rows, "before50_95")


def target(camera):
    return REFERENCE[camera][1] - REFERENCE[camera][0]


def mean_gain(job, way):
    """Over the cameras; None until all have run."""
    return statistics.mean(map(gain, job[way].values())) if len(job[way]) == len(REFERENCE) else None


def listed(rows):
    return ", ".join(row["seed"] for row in rows)


def seeds(job):
    """Which seeds the means are over: one sentence, however evenly the runs have progressed."""
    parts = []
    for way, cameras in job.items():
        each = {camera: listed(rows) for camera, rows in cameras.items()}
        same = len(set(each.values())) == 1
        parts.append((way, each[next(iter(each))] if same else "; ".join(f"{c}: {t}" for c, t in each.items()) or "none"))
    if len({text for _, text in parts}) == 1:
        return f"Means over seeds {parts[0][1]}." if "," in parts[0][1] else f"Seed {parts[0][1]}."
    return "Means over these seeds: " + ", ".join(f"`{way}` ({text})" for way, text in parts) + "."


def short_job(job):
    lines = [*textwrap.wrap(seeds(job), 118), "",
             "| camera | before | " + " | ".join(f"after, {way} | gain" for way in WAYS)
             + " | reference trainer's gain, spread |", "|---" * (3 + 2 * len(WAYS)) + "|"]
    for camera in REFERENCE:
        runs = [job[way].get(camera) for way in WAYS]
        if not any(runs):
            continue
        cells = [camera, f"{mean(next(filter(None, runs)), 'before50_95'):.3f}"]
        for rows in runs:
            cells += [f"{mean(rows, 'after50_95'):.3f}", f"{gain(rows):+.3f}"] if rows else ["", ""]
        lines.append("| " + " | ".join([*cells, f"{target(camera):+.3f}"]) + " |")
    cells = ["mean", ""]
    for way in WAYS:
        each = mean_gain(job, way)
        cells += ["", "" if each is None else f"{each:+.3f}"]
    return lines + ["| " + " | ".join([*cells, f"{statistics.mean(map(target, REFERENCE)):+.3f}"]) + " |"]


def whole_job(job):
    """The share is our gain in mAP50-95 over the reference trainer's."""
    lines = []
    for way in WAYS:
        lines += [f"`{way}`:", "", "| camera | before | after | seeds | gain | reference's gain | share |", "|---" * 7 + "|"]
        for camera, rows in job[way].items():
            each = ", ".join(f"{row['seed']}: {float(row['after50_95']):.3f}" for row in rows)
            lines.append(f"| {camera} | {mean(rows, 'before50'):.3f} / {mean(rows, 'before50_95'):.3f} | "
                         f"{mean(rows, 'after50'):.3f} / {mean(rows, 'after50_95'):.3f} | {each} | {gain(rows):.3f} | "
                         f"{target(camera):.3f} | {gain(rows) / target(camera):.2f} |")
        mine, theirs = mean_gain(job, way), statistics.mean(map(target, REFERENCE))
        if mine is not None:
            lines.append(f"| mean | | | | {mine:.3f} | {theirs:.3f} | {mine / theirs:.2f} |")
        lines.append("")
    return lines[:-1]


def main():
    results = [read(path) for path in sorted(glob.glob("bench/results/*.csv"))]
    results = [groups for groups in results if groups]
    for path, mark, table in (("README.md", "performance", short), ("docs/performance.md", "performance", whole)):
        replace(path, mark, [line for groups in results for line in ("", machine(groups), "", *table(groups), "")])
    job = read_job("bench/results/main-job.csv", "fast-0.1")
    for path, table in (("README.md", short_job), ("docs/performance.md", whole_job)):
        replace(path, "main job", ["", *table(job), ""])


if __name__ == "__main__":
    main()
