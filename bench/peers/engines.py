"""The other engines: each function takes a model, an input and a number of threads and returns a call that runs it."""
import os
import subprocess
import warnings
from types import SimpleNamespace


def load_torch(path):
    import torch

    checkpoint = torch.load(path, map_location="cpu", weights_only=False)
    model = (checkpoint.get("ema") or checkpoint["model"]).float()
    model.args = SimpleNamespace(box=7.5, cls=0.5, dfl=1.5)
    for name, parameter in model.named_parameters():
        parameter.requires_grad_("dfl" not in name)
    return model


def pytorch(model, x, threads):
    """A module in evaluation mode. The number of threads is the process's."""
    import torch

    torch.set_num_threads(threads)
    x = torch.from_numpy(x)

    def run():
        with torch.inference_mode():
            out = model(x)
        return (out[0] if isinstance(out, (tuple, list)) else out).numpy()

    return run


def onnxruntime(path, x, threads):
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.add_session_config_entry("session.force_spinning_stop", "1")  # not into another engine's turn
    session = ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return lambda given=x: session.run(None, {name: given})[0]


def openvino(path, x, threads):
    """Float32 stays float32 on CPUs that know shorter types; threads are not tied to CPUs, like all others here."""
    import openvino as ov

    compiled = ov.Core().compile_model(path, "CPU", {
        "INFERENCE_NUM_THREADS": threads, "NUM_STREAMS": 1, "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_PRECISION_HINT": "f32", "ENABLE_CPU_PINNING": False})
    request = compiled.create_infer_request()

    def run(given=x):
        request.infer([given], share_inputs=True)
        return request.get_output_tensor(0).data

    return run


def ncnn(path, x, threads):
    """From files NAME.param and NAME.bin."""
    import ncnn as nc
    import numpy as np

    net = nc.Net()
    net.opt.num_threads = threads
    net.opt.use_vulkan_compute = net.opt.use_bf16_storage = False
    net.opt.use_fp16_packed = net.opt.use_fp16_storage = net.opt.use_fp16_arithmetic = False
    if net.load_param(path + ".param") or net.load_model(path + ".bin"):
        raise RuntimeError(f"{path}: ncnn does not read it")
    given = nc.Mat(np.ascontiguousarray(x[0])).clone()

    def run():
        extractor = net.create_extractor()
        extractor.input("in0", given)
        return np.array(extractor.extract("out0")[1])

    return run


def export(model, shape, path):
    """A module in evaluation mode as ONNX."""
    import torch

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(model, torch.zeros(shape), path, dynamo=False, opset_version=17)


def ncnn_from_onnx(path, shape, folder):
    """Fills the folder with what pnnx writes beside its input, which is model.ncnn.param and model.ncnn.bin."""
    import pnnx

    os.symlink(os.path.abspath(path), os.path.join(folder, "model.onnx"))
    subprocess.run([pnnx.EXEC_PATH, "model.onnx", f"inputshape=[{','.join(map(str, shape))}]", "fp16=0"],
                   cwd=folder, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
