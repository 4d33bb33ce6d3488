"""Farthest-First, 256 of 20000 embeddings of 384 numbers, against NumPy with one matrix-vector product a pick.

On random rows, and on rows of real frames: windows of the frames of fixed cameras, each window the mean features of
the detector's layers 6 and 10 (128 and 256 channels). The picks must be the same, in the same order.
"""
import glob
import os

import numpy as np

import engines
from environment import present

COUNT, WIDTH, BUDGET, WINDOW, BATCH = 20000, 384, 256, 128, 50


def frames(folder):
    """Pictures of fixed cameras, whole, in the order of their names: JPEG files and, where cv2 is, video."""
    from PIL import Image

    for path in sorted(glob.glob(os.path.join(folder, "expressway/*/images/*.jpg"))):
        yield np.asarray(Image.open(path).convert("RGB"))
    for path in sorted(glob.glob(os.path.join(folder, "*/*.mp4"))) if present("cv2") else []:
        import cv2

        video = cv2.VideoCapture(path)
        while (read := video.read())[0]:
            yield cv2.cvtColor(read[1], cv2.COLOR_BGR2RGB)


def windows(folder):
    """Nine of each frame, which overlap by half."""
    from PIL import Image

    for frame in frames(folder):
        height, width = frame.shape[0] // 2, frame.shape[1] // 2
        for k in range(9):
            y, x = k // 3 * height // 2, k % 3 * width // 2
            yield np.asarray(Image.fromarray(frame[y:y + height, x:x + width]).resize((WINDOW, WINDOW)))


def embed(model, batch):
    import torch

    values, means = torch.from_numpy(np.stack(batch)).permute(0, 3, 1, 2).float() / 255, []
    with torch.inference_mode():
        for i, layer in enumerate(model.model[:11]):  # a plain chain up to there
            values = layer(values)
            if i in (6, 10):
                means.append(values.mean((2, 3)))
    rows = torch.cat(means, 1)
    return (rows / rows.norm(dim=1, keepdim=True)).numpy()


def rows_of_frames(bench):
    import torch

    def embed_windows(folder):
        torch.set_num_threads(max(bench.options.threads))
        model = engines.load_torch(bench.options.weights).fuse(verbose=False).eval()
        rows, batch = [], []
        for window in windows(bench.options.data):
            batch.append(window)
            if len(batch) == BATCH:
                rows.append(embed(model, batch))
                batch = []
            if len(rows) * BATCH == COUNT:
                np.save(os.path.join(folder, "rows.npy"), np.concatenate(rows))
                return True
        return False

    folder = bench.kept("frame-rows", [bench.options.weights, bench.options.data], ["pytorch"], embed_windows)
    return np.load(os.path.join(folder, "rows.npy")) if folder else None


def random_rows():
    rows = np.random.default_rng(0).uniform(-1, 1, (COUNT, WIDTH)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def pick(rows):
    """The row most similar to all, then always the one least similar to those picked."""
    picks = [int(np.argmax(rows @ rows.sum(0)))]
    nearest = rows @ rows[picks[0]]
    for _ in range(BUDGET - 1):
        nearest[picks[-1]] = np.inf
        picks.append(int(np.argmin(nearest)))
        np.maximum(nearest, rows @ rows[picks[-1]], out=nearest)
    return np.array(picks)


def numpy_peer(rows):
    def make(threads):
        if present("threadpoolctl"):
            import threadpoolctl

            threadpoolctl.threadpool_limits(threads, "blas")
        return lambda: pick(rows)

    return make


def agree(name, ours, theirs):
    same = int((ours.ravel() == theirs).sum())
    print(f"  {name}: {same} of {len(theirs)} picks equal", flush=True)
    return same == len(theirs)


def run(bench):
    rows = random_rows()
    bench.give("random_rows", rows)
    good = bench.compete("farthest-first", {"numpy": numpy_peer(rows)}, agree)
    rows = rows_of_frames(bench)
    if rows is None:
        print(f"too few frames in {bench.options.data}: farthest-first on random rows only")
        return good
    bench.give("frame_rows", rows)
    return bench.compete("farthest-first-frames", {"numpy": numpy_peer(rows)}, agree) and good
