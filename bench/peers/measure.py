"""Our program, clocks, rounds, limits and the table of results."""
import csv
import json
import os
import re
import subprocess
import time

# Two correct float32 programs differ by less on every picture we have seen; a wrong layer by far more.
# Tokens have a variance of 1; "lost" is the share of confident objects that integers do not find again.
LIMITS = {"probability": 1e-4, "box": 0.05, "loss": 1e-3, "norm": 1e-3, "token": 1e-3, "lost": 0.1}
FIELDS = ["commit", "cpu", "isa", "plan", "peak_before", "peak_after", "case", "threads", "engine", "version", "runs",
          *(f"{kind}_{which}_{unit}" for kind in ("wall", "cpu") for unit in ("ms", "ratio")
            for which in ("min", "median")), "threads_seen", "peak_mb"]


class Ours:
    """Our program, one process, asked for one run at a time."""

    def __init__(self, program, weights):
        self.program, self.command, self.process = program, [program, "--weights", weights], None

    def give(self, **files):
        """Options of the program: files of the cases. A running one ends."""
        self.end()
        for name, path in files.items():
            self.command += ["--" + name.replace("_", "-"), path]

    def machine(self, threads):
        """What it says about this machine, and its peak of multiply-adds, GFLOP/s, by thread count."""
        command = [self.program, "--json", "--only", "none", "--threads", ",".join(map(str, threads))]
        head = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()[0])
        head["peaks"] = {p["threads"]: p["gflops"] for p in head["peaks"]}
        return head

    def ask(self, line):
        if not self.process:
            pipe = subprocess.PIPE
            self.process = subprocess.Popen([*self.command, "--serve"], stdin=pipe, stdout=pipe, text=True)
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer:
            raise RuntimeError(f"our program ended at {line!r}")
        return json.loads(answer)

    def output(self, case, path):
        import numpy as np

        self.ask(f"{case} > {path}")
        return np.load(path)

    def runner(self, case):
        """One run of a case: wall and CPU time in ms."""
        def run():
            answer = self.ask(case)
            return answer["wall_ms"], answer["cpu_ms"]

        run.process = lambda: self.process.pid
        return run

    def end(self):
        if self.process:
            self.process.stdin.close()
            self.process.wait()
            self.process = None


def timed(work):
    """A run of work in this process: wall and CPU time, all threads, in ms."""
    def run():
        wall, cpu = time.perf_counter(), time.process_time()
        work()
        return 1e3 * (time.perf_counter() - wall), 1e3 * (time.process_time() - cpu)

    run.process = os.getpid
    return run


def thread_times(process):
    """Nanoseconds on a CPU of every thread; empty where the kernel does not count them."""
    times, folder = {}, f"/proc/{process}/task"
    for thread in os.listdir(folder):
        try:
            with open(f"{folder}/{thread}/schedstat") as file:
                times[thread] = int(file.read().split()[0])
        except OSError:
            pass
    return times


def rounds(engines, count, warm=2):
    """Every engine once a round, starting one further each time; the first ones warm up, uncounted. Returns
    for each engine its runs and how many threads had a tenth of the busiest one's time or more."""
    times, busy = {name: [] for name, _ in engines}, {name: {} for name, _ in engines}
    for i in range(count + warm):
        for k in range(len(engines)):
            name, run = engines[(i + k) % len(engines)]
            before = thread_times(run.process())
            result = run()
            if i >= warm:
                times[name].append(result)
                for thread, spent in thread_times(run.process()).items():
                    busy[name][thread] = busy[name].get(thread, 0) + spent - before.get(thread, 0)
            time.sleep(0.05)  # idle threads of the one before stop spinning
    seen = {name: sum(10 * t >= max(spent.values()) for t in spent.values()) if spent else "" for name, spent in busy.items()}
    return times, seen


def check(what, limit, value):
    verdict = "" if value <= LIMITS[limit] else f"  over the limit of {LIMITS[limit]:g}"
    print(f"  {what}: largest {limit} difference {value:.3g}{verdict}", flush=True)
    return not verdict


class Table:
    """Rows go to the machine's file in bench/results after each case, in place of those that this case had and beside
    all others, whose commits may be other ones."""

    def __init__(self, commit, versions, machine):
        """machine: what Ours.machine says before the first case."""
        self.commit, self.versions, self.machine, self.rows = commit, versions, machine, []
        name = re.sub(r"[^a-z0-9]+", "-", f"{machine['cpu']} {machine['isa']}".lower()).strip("-")
        self.path = os.path.join("bench/results", name + ".csv")

    def add(self, case, threads, times, seen={}, peaks={}):
        """times: engine -> runs, each wall and CPU in ms; the first engine is ours."""
        import numpy as np

        ours = None
        for name, values in times.items():
            v = np.array(values)
            row = {"case": case, "threads": threads, "engine": name, "runs": len(v), "threads_seen": seen.get(name, ""),
                   "version": self.versions.get(name.split("+")[0], ""), "peak_mb": peaks.get(name, "")}
            four = [f(v[:, k]) for k in (0, 1) for f in (np.min, np.median)]
            ours = ours or four
            for key, value, base in zip(("wall_min", "wall_median", "cpu_min", "cpu_median"), four, ours):
                row[key + "_ms"] = round(float(value), 1 if value >= 10 else 3)
                row[key + "_ratio"] = round(float(value / base), 2)
            row |= {"commit": self.commit, "peak_before": round(self.machine["peaks"][threads], 1),
                    **{key: self.machine[key] for key in ("cpu", "isa", "plan")}}
            self.rows.append(row)
            print(f"{case:22} {threads} threads  {name:16} wall {row['wall_min_ms']:9.1f} ({row['wall_median_ms']:9.1f})"
                  f" x {row['wall_min_ratio']:.2f} ({row['wall_median_ratio']:.2f})   cpu {row['cpu_min_ms']:9.1f}"
                  f" ({row['cpu_median_ms']:9.1f}) x {row['cpu_min_ratio']:.2f} ({row['cpu_median_ratio']:.2f})"
                  + (f"   {row['peak_mb']} MB" if row["peak_mb"] != "" else "")
                  + (f"   {seen[name]} threads worked" if seen.get(name, threads) not in (threads, "") else ""), flush=True)
        self.write()

    def end(self, after):
        """after: what Ours.machine says after the last case."""
        for row in self.rows:
            row["peak_after"] = round(after["peaks"][row["threads"]], 1)
        self.write()
        print("written:", self.path)

    def write(self):
        done, old = {(row["case"], str(row["threads"])) for row in self.rows}, []
        if os.path.exists(self.path):
            with open(self.path, newline="") as file:
                old = [row for row in csv.DictReader(file) if (row["case"], row["threads"]) not in done]
        os.makedirs("bench/results", exist_ok=True)
        with open(self.path + ".part", "w", newline="") as file:
            writer = csv.DictWriter(file, FIELDS, lineterminator="\n")
            writer.writeheader()
            writer.writerows(old + self.rows)
        os.replace(self.path + ".part", self.path)
