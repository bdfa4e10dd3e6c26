"""Load causal language models safely: from safetensors alone, whole, and without any code that comes with a model."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, cast, runtime_checkable

from fingerprint.data.extras import install_command
from fingerprint.data.nearest import nearest
from fingerprint.data.weights import check_on_hub, check_weights
from fingerprint.lm.model import LanguageModel

if TYPE_CHECKING:
    import transformers

# Two small models that come with the package: same language, trained from different seeds.
MICRO_MODELS = ("micro-a", "micro-b")
# Models that the hub once knew by a single word, and what they are called now.
MOVED_MODELS = {
    "gpt2": "openai-community/gpt2",
    "gpt2-medium": "openai-community/gpt2-medium",
    "gpt2-large": "openai-community/gpt2-large",
    "gpt2-xl": "openai-community/gpt2-xl",
    "distilgpt2": "distilbert/distilgpt2",
}


@runtime_checkable
class Pretrained(Protocol):
    """A model of transformers, as far as it is looked at before it is known to be one."""

    @property
    def config(self) -> object: ...


@runtime_checkable
class ChatTokenizer(Protocol):
    """A tokenizer of transformers, as far as it is looked at before it is known to be one."""

    @property
    def apply_chat_template(self) -> Callable[..., object]: ...


# A model as it may be passed: by name or folder, loaded, or with its tokenizer.
Spec = (
    str
    | Path
    | LanguageModel
    | Pretrained
    | tuple["transformers.PreTrainedModel", "transformers.PreTrainedTokenizerBase"]
)


def load(spec: Spec, *, device: str | None = None, dtype: str | None = None) -> LanguageModel:
    """A causal language model, by name, folder or object.

    Parameters
    ----------
    spec : str, path, LanguageModel, (model, tokenizer) or model
        ``"micro-a"`` or ``"micro-b"`` for the small models of this package; a folder; a name on the Hugging Face hub;
        or a loaded model (its tokenizer is looked up by its name when it is not given).
    device : str, optional
        Where to run, for example ``"cuda"``. By default where it is, or the CPU.
    dtype : str, optional
        For example ``"bfloat16"``. By default that of the file; objects are left as they are.

    Raises
    ------
    FileNotFoundError
        If a folder holds no model.
    ValueError
        If its weights are not safetensors, damaged or not all there; if its tokenizer is missing, has no chat template
        or is another model's; or if there is no such device or dtype.
    ImportError
        If the extra ``lm`` is not installed.

    Notes
    -----
    ``trust_remote_code`` stays off and pickled weights are refused: loading runs no code from the model.
    """
    if isinstance(spec, LanguageModel):
        return spec
    try:
        import torch
        import transformers
    except ImportError as missing:
        raise ImportError(
            f"language models need the extra lm, got no {missing.name}; install it: {install_command('lm')}"
        ) from missing
    if isinstance(spec, tuple) and len(spec) == 2:
        return _checked(LanguageModel(*spec, name=name_of(spec)))
    if isinstance(spec, transformers.PreTrainedModel):
        name = name_of(spec)
        if not name:
            raise ValueError("model must come with its tokenizer when it has no name; pass (model, tokenizer)")
        beside_it = transformers.AutoTokenizer.from_pretrained(name, trust_remote_code=False)
        return _checked(LanguageModel(spec, beside_it, name))
    if not isinstance(spec, str | Path):
        raise TypeError(
            f"model must be a name, a folder, a transformers model or (model, tokenizer), got {type(spec).__name__}; "
            "pass one of these"
        )
    place = str(files("fingerprint.lm") / "models" / str(spec)) if spec in MICRO_MODELS else str(spec)
    _check_folder(Path(place), str(spec))
    _check_device(device, dtype)
    with without_bars():
        model = _read_weights(place, str(spec), dtype)
        tokenizer = _read_tokenizer(place, str(spec))
    if device is not None:
        model.to(torch.device(device))  # type: ignore[arg-type]  # a wrapper that mypy takes for the method
    return _checked(LanguageModel(model, tokenizer, str(spec)))


def _read_weights(place: str, name: str, dtype: str | None) -> transformers.PreTrainedModel:
    """A model whose every weight is the file's; transformers alone would draw missing ones at random, and warn."""
    import transformers
    from safetensors import SafetensorError  # transformers reads weights with it

    read = cast(
        "Callable[..., tuple[transformers.PreTrainedModel, dict[str, list[object]]]]",
        transformers.AutoModelForCausalLM.from_pretrained,
    )
    try:
        model, found = read(
            place,
            dtype=dtype or "auto",
            use_safetensors=True,
            trust_remote_code=False,
            ignore_mismatched_sizes=True,
            output_loading_info=True,
        )
    except SafetensorError as error:
        raise ValueError(
            f"model must have whole safetensors files, got a damaged one in {name!r} ({error}); get a fresh copy"
        ) from error
    absent = sorted(map(str, found["missing_keys"]))
    misshapen = sorted(str(entry[0] if isinstance(entry, tuple) else entry) for entry in found["mismatched_keys"])
    for keys, what in ((absent, "without"), (misshapen, "with another shape of")):
        if keys:
            raise ValueError(
                f"model must have all weights that its config.json asks for, got {name!r} {what} {keys[0]} "
                f"({len(keys)} in all); check that it is complete"
            )
    return model


def _read_tokenizer(place: str, name: str) -> transformers.PreTrainedTokenizerBase:
    import transformers

    unreadable = (
        f"model must come with its tokenizer, got none that can be read in {name!r}; save it there with "
        "tokenizer.save_pretrained, or pass (model, tokenizer)"
    )
    try:
        tokenizer = transformers.AutoTokenizer.from_pretrained(place, trust_remote_code=False)
    except (ValueError, OSError) as error:
        raise ValueError(unreadable) from error
    # Early releases of transformers 5 make one of nothing but special tokens where a folder has none.
    if set(tokenizer.get_vocab()) <= set(tokenizer.all_special_tokens):
        raise ValueError(unreadable)
    return tokenizer


def _check_device(device: str | None, dtype: str | None) -> None:
    """Say before any weights are read that they could not be put there."""
    import torch

    if dtype not in (None, "auto") and not getattr(getattr(torch, str(dtype), None), "is_floating_point", False):
        raise ValueError(f"dtype must be a floating type of torch, got {dtype!r}; try 'float32' or 'bfloat16'")
    if device is not None:
        try:
            torch.empty(0, device=device)
        except (RuntimeError, AssertionError) as error:  # AssertionError: a build of torch without CUDA
            raise ValueError(
                f"device must be one that this machine has, got {device!r} ({str(error).splitlines()[0]}); "
                "leave it out to stay on the CPU"
            ) from error


@contextmanager
def without_bars() -> Iterator[None]:
    """Keep transformers from drawing its own progress bars, also into pipes."""
    import transformers

    bars = transformers.utils.logging
    shown = bars.is_progress_bar_enabled()
    bars.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        yield
    finally:
        if shown:
            bars.enable_progress_bar()  # type: ignore[no-untyped-call]


def name_of(spec: Spec) -> str:
    """What `load` calls a model, without loading it; empty if it has no name."""
    if isinstance(spec, LanguageModel):
        return spec.name
    if isinstance(spec, tuple):
        return name_of(spec[0])
    if isinstance(spec, Pretrained):
        return str(getattr(spec.config, "_name_or_path", "") or "")
    return str(spec)


def nearest_model(name: str) -> str | None:
    """What may be meant by a single word that is no model: one of the package's, or one that moved to an owner."""
    near = nearest(name, (*MICRO_MODELS, *MOVED_MODELS))
    return near if near is None else MOVED_MODELS.get(near, near)


def _check_folder(place: Path, name: str) -> None:
    """Say what is wrong with a folder before transformers does, at length."""
    if not place.is_dir():
        if place.exists() or name.startswith((".", "/", "~")):
            raise FileNotFoundError(
                f"model must be a folder or a name, got {name!r}, which is no folder; check the path"
            )
        if "/" not in name:
            near = nearest_model(name)
            remedy = "check the spelling" if near is None else f"did you mean {near}?"
            raise FileNotFoundError(
                f"model must be {', '.join(MICRO_MODELS)}, a folder, or a name on the hub such as owner/name, got "
                f"{name!r}, which is none of them; {remedy}"
            )
        check_on_hub(name)
        return
    if not (place / "config.json").is_file():
        raise FileNotFoundError(f"model must be a folder with a config.json, got none in {name!r}; check the path")
    check_weights(place, name)


def _checked(lm: LanguageModel) -> LanguageModel:
    if not getattr(lm.tokenizer, "chat_template", None):
        raise ValueError(
            f"model must have a chat template, got none in {lm.name or 'the tokenizer'}; "
            "use an instruction-tuned model, or set tokenizer.chat_template"
        )
    needed = 1 + max(lm.tokenizer.get_vocab().values())  # ids may have holes
    if needed > lm.n_embeddings:
        raise ValueError(
            f"tokenizer must be the model's own, got {needed} tokens for {lm.n_embeddings} embeddings in "
            f"{lm.name or 'the model'}; load both from the same place"
        )
    lm.model.eval()  # type: ignore[no-untyped-call]
    return lm
