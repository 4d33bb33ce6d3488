"""Writes the tables of README.md and docs/performance.md from bench/results/*.csv (make bench-tables).

Each table stands between <!-- NAME: begin --> and <!-- NAME: end -->. A table of the README takes the best of the
others in each row; that of the documentation shows all.
"""
import csv
import glob
import os
import re
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
    first, versions = groups[0][0], {}
    for row in (row for group in groups for row in group if row["engine"] != "retort" and row["version"]):
        versions[name(row["engine"].split("+")[0])] = re.sub(r"\+.*", "", row["version"])
    peaks = {int(r["threads"]): (r["peak_before"], r["peak_after"]) for g in groups for r in g if r.get("peak_before")}
    text = f"{first['cpu']}, {first['isa']}, plan {first['plan']}, commit {first['commit']}; "
    text += ", ".join(f"{n} {v}" for n, v in sorted(versions.items())) + "."
    for threads, (before, after) in sorted(peaks.items()):
        text += f" Peak of {threads} thread{'s' * (threads > 1)} before and after: {before} and {after} GFLOP/s."
    return textwrap.fill(text, 118)


def short(groups):
    """Medians of the wall time; memory where it was measured."""
    lines = ["| work | threads | ours, ms | best other, ms | ratio | memory, MB |", "|---|---|---|---|---|---|"]
    for ours, *others in groups:
        best = min(others, key=lambda row: float(row["wall_median_ms"]))
        memory = f"{number(ours['peak_mb'])} : {number(best['peak_mb'])}" if ours.get("peak_mb") else ""
        ratio = float(best["wall_median_ms"]) / float(ours["wall_median_ms"])
        lines.append(f"| {WORK[ours['case']]} | {ours['threads']} | {number(ours['wall_median_ms'])} | "
                     f"{name(best['engine'])} {number(best['wall_median_ms'])} | {ratio:.2f} | {memory} |")
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


def main():
    results = [read(path) for path in sorted(glob.glob("bench/results/*.csv"))]
    results = [groups for groups in results if groups]
    for path, mark, table in (("README.md", "performance", short), ("docs/performance.md", "performance", whole)):
        replace(path, mark, [line for groups in results for line in ("", machine(groups), "", *table(groups), "")])


main()
