"""The interpreter that the other engines run in: PYTHON, or a virtual environment made from PyPI."""
import importlib.util
import os
import subprocess
import sys

PACKAGES = ["numpy", "onnx", "onnxruntime", "pillow", "safetensors", "torch", "torchvision", "ultralytics"]
OPTIONAL = ["openvino", "ncnn", "pnnx", "nncf", "opencv-python-headless", "threadpoolctl"]


def install(python):
    """false: no package index answers. What is optional may be missing."""
    def pip(*words):
        command = [python, "-m", "pip", "-q", "install", "--retries", "0", "--timeout", "15", *words]
        return subprocess.run(command, stderr=subprocess.DEVNULL).returncode == 0

    if not pip(*PACKAGES):
        return False
    for package in OPTIONAL:
        pip(package)
    return True


def enter(folder):
    """Starts this program again inside an interpreter that has the packages."""
    wanted = os.environ.get("PYTHON")
    if os.environ.get("RETORT_PEERS"):
        return
    python = wanted or os.path.join(folder, "env/bin/python")
    if not wanted and not os.path.exists(os.path.join(folder, "env/complete")):
        print(f"making {folder}/env", flush=True)
        made = subprocess.run([sys.executable, "-m", "venv", os.path.join(folder, "env")], stdout=subprocess.DEVNULL)
        if made.returncode:
            print("no virtual environment can be made (Debian: python3-venv): not compared")
            sys.exit(0)
        if not install(python):
            print("the other engines cannot be installed (no package index answers): not compared")
            sys.exit(0)
        open(os.path.join(folder, "env/complete"), "w").close()
    os.execvpe(python, [python, *sys.argv], dict(os.environ, RETORT_PEERS="1", YOLO_OFFLINE="true"))


def present(module, seen={}):
    """Whether a module that is optional is there; says once when it is not."""
    if module not in seen:
        seen[module] = importlib.util.find_spec(module) is not None
        if not seen[module]:
            print(f"{module} is absent: not compared")
    return seen[module]
