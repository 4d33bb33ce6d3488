"""Training steps of YOLO11n: forward, loss, backward, clipping, AdamW; against PyTorch."""
import gc

import numpy as np

import engines
from measure import check, rounds, timed


def reset_peak():
    try:
        with open("/proc/self/clear_refs", "w") as file:
            file.write("5")
    except OSError:
        pass


def peak_megabytes():
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) // 1024 for line in file if line.startswith("VmHWM"))


def torch_step(path, nchw, targets):
    """No averaging of the weights, which ours includes."""
    import torch

    model = engines.load_torch(path).train()
    groups = {"weight": [], "bn": [], "bias": []}
    for module in model.modules():
        for name, parameter in module.named_parameters(recurse=False):
            kind = "bias" if "bias" in name else "bn" if isinstance(module, torch.nn.BatchNorm2d) else "weight"
            groups[kind].append(parameter)
    decay = {"weight": 0.0005, "bn": 0.0, "bias": 0.0}
    optimizer = torch.optim.AdamW([{"params": p, "weight_decay": decay[k]} for k, p in groups.items()], lr=1e-6)
    rows = torch.from_numpy(targets[targets[:, 0] < len(nchw)])
    batch = {"img": torch.from_numpy(nchw), "batch_idx": rows[:, 0], "cls": rows[:, 1:2], "bboxes": rows[:, 2:]}

    def run():
        optimizer.zero_grad()
        loss, items = model.loss(batch)
        loss.sum().backward()
        norm = torch.nn.utils.clip_grad_norm_(model.parameters(), 10.0)
        optimizer.step()
        values = items.values() if isinstance(items, dict) else items
        return [float(v) for v in values][:3], float(norm)

    return run


def run(bench):
    import torch

    o = bench.options
    torch.set_num_threads(o.step_threads)
    for size, batch in o.steps:
        name = f"step-{size}x{batch}"
        case, pixels = f"{name}-t{o.step_threads}", (bench.nchw if size == 640 else bench.small)[:batch]
        gc.collect()
        reset_peak()
        first, work = bench.ours.ask(case), torch_step(o.weights, pixels, bench.targets)
        loss, norm = work()
        apart = max(abs(a - b) / abs(b) for a, b in zip(first["first_loss"], loss))
        if not all([check(f"pytorch, {name} (relative)", "loss", apart),
                    check(f"pytorch, {name} (relative)", "norm", abs(first["first_norm"] - norm) / norm)]):
            return False
        turns = [("retort", bench.ours.runner(case)), ("pytorch", timed(work))]
        times, seen = rounds(turns, o.step_rounds, warm=1)  # and each ran once above
        peaks = {"retort": round(bench.ours.ask("-" + case)["peak_mb"]), "pytorch": peak_megabytes()}
        bench.table.add(name, o.step_threads, times, seen, peaks)
        bench.ours.end()  # so that the next peak is its own
    return True
