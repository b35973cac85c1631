"""LoRA's layers: where they go, how they compute, and how they are folded into the weights.

The update's factors stay in fp32, whatever format the model computes in, so that small steps are not lost to rounding.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from peft.tuners.lora import Linear as LoraLinear
from peft.tuners.lora import LoraLayer
from transformers.pytorch_utils import Conv1D

from beatingbert.engines.dropout import drop
from beatingbert.engines.lora.settings import LoraSettings
from beatingbert.errors import CheckpointError

ATTENTION = ("attn", "attention")  # what families call the module that holds the projections


class LeanLinear(LoraLinear):  # type: ignore[misc]
    """PEFT's layer with a shorter way through: the factors go to the input's format, not the input to theirs.

    PEFT casts every input to fp32, multiplies there and casts the result back; on two cores with bf16 that costs an
    eighth of a step and a sixth of its memory more (SmolLM2-135M, batches of 8).
    """

    def forward(self, x: torch.Tensor, *args: Any, **kwargs: Any) -> torch.Tensor:
        """The layer's answer, in the input's format."""
        name = self.active_adapters[0]
        if self.disable_adapters or self.merged or self.lora_variant or self.lora_bias[name]:
            own_way: torch.Tensor = super().forward(
                x, *args, **kwargs
            )  # what others have trained may be more than LoRA
            return own_way
        inner, outer = (factors[name].weight.to(x.dtype) for factors in (self.lora_A, self.lora_B))
        small = torch.nn.functional.linear(self._dropped(x, name), inner)
        answer = self.base_layer(x, *args, **kwargs)
        flat = torch.addmm(answer.flatten(0, -2), small.flatten(0, -2), outer.t(), alpha=self.scaling[name])
        return flat.view(answer.shape)

    def _dropped(self, x: torch.Tensor, name: str) -> torch.Tensor:
        share = getattr(self.lora_dropout[name], "p", 0.0)
        if not self.training or share == 0:
            return x
        return drop(x, share) if x.device.type == "cpu" else torch.nn.functional.dropout(x, share)


def adapt(model: Any, settings: LoraSettings, *, seed: int) -> PeftModel:
    """Put fresh adapters into the model, whose own weights are frozen; it answers as before until it is trained."""
    targets = "all-linear" if settings.target_modules == "all-linear" else attention_projections(model)
    conv = any(isinstance(module, Conv1D) for module in model.modules())
    config = LoraConfig(
        task_type="CAUSAL_LM",
        r=settings.rank,
        lora_alpha=settings.alpha,
        lora_dropout=settings.dropout,
        target_modules=targets,
        fan_in_fan_out=conv,  # GPT-2 keeps its weights the other way round
    )
    torch.manual_seed(seed)
    with quiet_peft():
        return get_peft_model(model, lean(config))


def lean(config: Any) -> Any:
    """The same configuration with our way through the layers; what is saved is PEFT's own all the same."""
    config._register_custom_module({torch.nn.Linear: LeanLinear})
    return config


def attention_projections(model: Any) -> list[str]:
    """Names of the q, k, v and o projections: the linear layers right under a module that is called attention.

    Only those of the text decoder are meant, in models that see or hear as well.

    Returns:
        Name endings such as `self_attn.q_proj` where they mean exactly these layers, else full names.

    Raises:
        CheckpointError: there are none.
    """
    decoder = {id(module) for module in model.get_decoder().modules()}
    linear = {name: module for name, module in model.named_modules() if isinstance(module, torch.nn.Linear | Conv1D)}
    found = [
        name
        for name, module in linear.items()
        if id(module) in decoder and any(word in name.split(".")[-2] for word in ATTENTION)
    ]
    if not found:
        raise CheckpointError(
            f"no attention projections were found in a {model.config.model_type!r} model; use --lora_targets all-linear"
        )
    endings = sorted({".".join(name.split(".")[-2:]) for name in found})
    meant = [name for name in linear if any(name.endswith(f".{ending}") for ending in endings)]
    return endings if meant == found else found


def adapted_names(model: PeftModel) -> list[str]:
    """Last words of the names of the adapted layers, e.g. k_proj, o_proj, q_proj, v_proj."""
    return sorted({name.rpartition(".")[2] for name, module in model.named_modules() if isinstance(module, LoraLayer)})


def factors(model: PeftModel) -> list[torch.nn.Module]:
    """The adapters' own small layers, two for each adapted one."""
    return [
        factor
        for layer in model.modules()
        if isinstance(layer, LoraLayer)
        for pair in (layer.lora_A, layer.lora_B)
        for factor in pair.values()
    ]


def settle(model: PeftModel) -> None:
    """Give the factors the format that the model computes in, once instead of in each pass; no answer changes a bit.

    They are training's no more: small steps would be lost.
    """
    for module in model.modules():
        if isinstance(module, LoraLayer):
            dtype = module.get_base_layer().weight.dtype
            module.lora_A.to(dtype)
            module.lora_B.to(dtype)


def take_out(model: PeftModel) -> None:
    """Give the base model its own layers back; its weights were frozen, so it answers as before, to the bit."""
    base = model.unload()
    # transformers is about to change the name
    disable = getattr(base, "activation_checkpointing_disable", None) or base.gradient_checkpointing_disable
    disable()
    base.requires_grad_(True)


@contextmanager
def folded(model: PeftModel) -> Iterator[Any]:
    """Within it the base model's weights contain the update, rounded to their format; afterwards not a bit of it."""
    layers = [module.get_base_layer() for module in model.modules() if isinstance(module, LoraLayer)]
    kept = [layer.weight.data.clone() for layer in layers]
    was_training = model.training
    model.merge_adapter()
    model.eval()
    try:
        yield model.get_base_model()
    finally:
        model.unmerge_adapter()  # subtracts, which leaves rounding behind
        for layer, weight in zip(layers, kept, strict=True):
            layer.weight.data.copy_(weight)
        model.train(was_training)


@contextmanager
def quiet_peft() -> Iterator[None]:
    """Within it PEFT tells nobody what transformers is about to rename, how weights lie or which are missing."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        warnings.filterwarnings("ignore", message="fan_in_fan_out is set|Found missing adapter keys")
        yield
