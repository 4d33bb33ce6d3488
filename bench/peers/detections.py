"""Boxes from a network's decoded output, as Python programs usually do it, and whether two sets agree."""
import numpy as np


def overlap(box, boxes):
    """Intersection over union of one box with many; left, top, right, bottom."""
    low, high = np.maximum(box[:2], boxes[:, :2]), np.minimum(box[2:4], boxes[:, 2:4])
    both = np.prod(np.clip(high - low, 0, None), axis=1)
    return both / (np.prod(box[2:4] - box[:2]) + np.prod(boxes[:, 2:4] - boxes[:, :2], axis=1) - both + 1e-9)


def find(output, confidence=0.25, iou=0.7):
    """Suppression by class: rows of left, top, right, bottom, confidence, class, most confident first."""
    output = output.reshape(output.shape[-2:])
    best = output[4:].max(0)
    chosen = np.flatnonzero(best > confidence)
    chosen = chosen[np.argsort(-best[chosen], kind="stable")]
    centre, half, classes = output[:2, chosen].T, output[2:4, chosen].T / 2, output[4:, chosen].argmax(0)
    rows = np.column_stack([centre - half, centre + half, best[chosen], classes])
    apart = rows[:, :4] + 7680 * rows[:, 5:]  # boxes of different classes never meet
    kept, left = [], np.arange(len(rows))
    while len(left):
        kept.append(left[0])
        left = left[1:][overlap(apart[left[0]], apart[left[1:]]) <= iou]
    return rows[kept[:300]]


def lost(wanted, found, iou=0.6):
    """How many of the wanted have no object of their class where they are."""
    return sum(not np.any(overlap(w[:4], same) >= iou) for w in wanted for same in [found[found[:, 5] == w[5]]])
