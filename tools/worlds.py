"""Folders of `retort world` that are made once. The command itself renders every frame again whenever it is called."""
import functools
import json
import os
import shutil
import subprocess
import tempfile


@functools.lru_cache(maxsize=None)
def format_of(retort):
    """Which pictures this version draws: every world says it, so a small one is made."""
    with tempfile.TemporaryDirectory() as folder:
        out = os.path.join(folder, "world")
        subprocess.run([retort, "world", "--quiet", "--frames", "1", "--size", "64x64", "--no-images", "--out", out],
                       check=True, stdout=subprocess.DEVNULL)
        return recipe(out)["format"]


def recipe(folder):
    """Format and options of a world; empty without one."""
    path = os.path.join(folder, "world.json")
    if not os.path.exists(path):
        return {}
    with open(path) as f:
        return json.load(f)


def make(retort, out, threads="0", **options):
    """A folder that was made whole, by this version and with these options, is used again; another is removed first."""
    known, wanted = recipe(out), {"format": format_of(retort), **options}
    if known and any(known.get(name) != value for name, value in wanted.items()):
        shutil.rmtree(out)
    if not os.path.exists(os.path.join(out, "manifest.json")):
        words = [word for name, value in options.items() for word in ("--" + name, str(value))]
        subprocess.run([retort, "world", "--quiet", "--threads", threads, *words, "--out", out], check=True,
                       stdout=subprocess.DEVNULL)
