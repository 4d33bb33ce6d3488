"""What a mean over a few cameras says: cameras are independent draws, frames of one are not."""
from math import inf, sqrt
from statistics import mean, stdev

# 95 % quantile of Student's t with 1, 2, 3 ... degrees of freedom; with more, the last one is a little too wide.
T95 = [6.314, 2.920, 2.353, 2.132, 2.015, 1.943, 1.895, 1.860, 1.833, 1.812, 1.796, 1.782, 1.771, 1.761, 1.753, 1.746,
       1.740, 1.734, 1.729]


def error(values):
    """Standard error of the mean; infinite with one value."""
    return stdev(values) / sqrt(len(values)) if len(values) > 1 else inf


def lower(values):
    """The mean is above this with a confidence of 95 %."""
    return mean(values) - T95[min(len(values) - 1, len(T95)) - 1] * error(values)


def sign(values):
    """1 or -1 where the mean is surely above or below 0, else 0."""
    return (lower(values) > 0) - (lower([-v for v in values]) > 0)
