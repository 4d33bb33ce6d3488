"""Starts programs for cold.py. Each line of stdin is a command as JSON; the answer: wall and CPU seconds, peak KiB.

A process begins with the peak of the one that starts it, so this one stays small and imports next to nothing.
"""
import json
import os
import sys
import time

for line in sys.stdin:
    command = json.loads(line)
    begun = time.perf_counter()
    process = os.fork()
    if not process:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        os.execvp(command[0], command)
    _, status, usage = os.wait4(process, 0)
    wall = time.perf_counter() - begun
    print(json.dumps([wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss, status]), flush=True)
