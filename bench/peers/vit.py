"""ViT-S/14 at 224, random weights: PyTorch, ONNX Runtime, OpenVINO. All tokens are compared."""
import numpy as np

import engines
from environment import present
from measure import check

DIM, DEPTH, HEADS, PATCH, SIDE = 384, 12, 6, 14, 224


def build():
    """Positions for just this size, so that nobody resamples them."""
    import torch
    from torch import nn

    class Scale(nn.Module):
        def __init__(self):
            super().__init__()
            self.gamma = nn.Parameter(torch.ones(DIM))

        def forward(self, x):
            return x * self.gamma

    class Attention(nn.Module):
        def __init__(self):
            super().__init__()
            self.qkv, self.proj = nn.Linear(DIM, 3 * DIM), nn.Linear(DIM, DIM)

        def forward(self, x):
            parts = self.qkv(x).reshape(1, -1, 3, HEADS, DIM // HEADS).permute(2, 0, 3, 1, 4)
            out = nn.functional.scaled_dot_product_attention(parts[0], parts[1], parts[2])
            return self.proj(out.transpose(1, 2).reshape(1, -1, DIM))

    class Perceptron(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc1, self.fc2 = nn.Linear(DIM, 4 * DIM), nn.Linear(4 * DIM, DIM)

        def forward(self, x):
            return self.fc2(nn.functional.gelu(self.fc1(x)))

    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.norm1, self.attn, self.ls1 = nn.LayerNorm(DIM, 1e-6), Attention(), Scale()
            self.norm2, self.mlp, self.ls2 = nn.LayerNorm(DIM, 1e-6), Perceptron(), Scale()

        def forward(self, x):
            x = x + self.ls1(self.attn(self.norm1(x)))
            return x + self.ls2(self.mlp(self.norm2(x)))

    class Patches(nn.Module):
        def __init__(self):
            super().__init__()
            self.proj = nn.Conv2d(3, DIM, PATCH, PATCH)

        def forward(self, x):
            return self.proj(x).flatten(2).transpose(1, 2)

    class Transformer(nn.Module):
        def __init__(self):
            super().__init__()
            self.cls_token = nn.Parameter(torch.zeros(1, 1, DIM))
            self.pos_embed = nn.Parameter(torch.zeros(1, 1 + (SIDE // PATCH) ** 2, DIM))
            self.patch_embed, self.blocks = Patches(), nn.ModuleList(Block() for _ in range(DEPTH))
            self.norm = nn.LayerNorm(DIM, 1e-6)

        def forward(self, x):
            x = torch.cat([self.cls_token, self.patch_embed(x)], 1) + self.pos_embed
            for block in self.blocks:
                x = block(x)
            return self.norm(x)

    torch.manual_seed(0)
    model = Transformer()
    for parameter in (model.cls_token, model.pos_embed):
        torch.nn.init.normal_(parameter, std=0.02)
    return model.eval()


def agree(name, ours, theirs):
    return check(name, "token", float(np.abs(ours - theirs[0]).max()))


def run(bench):
    """The weights go into a file of ours and into ONNX; the input is part of a picture, scaled to -2 .. 2."""
    from safetensors.torch import save_file

    model, weights, onnx = build(), bench.file("vit.safetensors"), bench.file("vit.onnx")
    x = np.ascontiguousarray((bench.nchw[:1, :, :SIDE, :SIDE] - np.float32(0.5)) * np.float32(4))
    save_file(model.state_dict(), weights)
    engines.export(model, x.shape, onnx)
    bench.ours.give(vit=weights)
    bench.give("patches", x)
    peers = {"onnxruntime": lambda t: engines.onnxruntime(onnx, x, t), "pytorch": lambda t: engines.pytorch(model, x, t)}
    if present("openvino"):
        peers["openvino"] = lambda t: engines.openvino(onnx, x, t)
    return bench.compete("vit-s-224", peers, agree)
