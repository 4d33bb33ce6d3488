"""Result files: one row a run, whole after every run."""
import csv
import hashlib
import os


def hash_of(path):
    """None without the file."""
    if not os.path.exists(path):
        return None
    with open(path, "rb") as f:
        return hashlib.sha256(f.read()).hexdigest()


def read(path):
    if not os.path.exists(path):
        return []
    with open(path) as f:
        return list(csv.DictReader(f))


def write(path, fields, rows):
    with open(path + ".part", "w", newline="") as f:
        table = csv.DictWriter(f, fields, lineterminator="\n")
        table.writeheader()
        table.writerows(rows)
    os.replace(path + ".part", path)
