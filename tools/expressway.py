"""The fixed expressway cameras of ../shared: cam*/images, cam*/labels, cameras.csv."""
import csv
import os

CAMERAS = ["8701", "2703", "3704", "8706"]


def label_of(picture):
    return os.path.splitext(os.path.basename(picture))[0] + ".txt"


def split(data, camera, folder):
    """Links every third frame, sorted by name, with its labels below `folder` as a data set; returns the others' paths."""
    source = os.path.join(data, "cam" + camera)
    names = sorted(os.listdir(os.path.join(source, "images")))
    for name in names[::3]:
        for kind, file in (("images", name), ("labels", label_of(name))):
            target = os.path.join(folder, kind, file)
            os.makedirs(os.path.dirname(target), exist_ok=True)
            if os.path.exists(os.path.join(source, kind, file)) and not os.path.lexists(target):
                os.symlink(os.path.abspath(os.path.join(source, kind, file)), target)
    return [os.path.join(source, "images", name) for i, name in enumerate(names) if i % 3]


def limit(data, camera):
    """The row of the picture above which people labelled nothing."""
    with open(os.path.join(data, "cameras.csv")) as f:
        return next(row["p5_box_top_y_px"] for row in csv.DictReader(f) if row["camera"] == camera)
