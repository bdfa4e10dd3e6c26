"""Loading, scoring and sampling, on the micro models and on models made here."""

# mypy: allow-untyped-calls
# torch and transformers leave some of their functions untyped.

import copy
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tokenizers
import torch
import transformers
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file
from scipy.stats import chisquare

from fingerprint.lm.kv_cache import forward_from
from fingerprint.lm.loading import load
from fingerprint.lm.model import LanguageModel
from fingerprint.lm.prompts import prompts
from fingerprint.lm.sampling import sample
from fingerprint.lm.scoring import token_logprobs


@pytest.fixture(scope="module")
def lm() -> LanguageModel:
    return load("micro-a")


@pytest.fixture(scope="module")
def folder(lm: LanguageModel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("model")
    lm.model.save_pretrained(place, safe_serialization=True)
    lm.tokenizer.save_pretrained(place)
    return place


@pytest.fixture
def own(folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(folder, tmp_path / "own"))


def direct(lm: LanguageModel, prompt: str, completion: str, system: str | None = None) -> np.ndarray:
    """One row through the whole model, without batches, padding or shortcuts."""
    chat = [{"role": "user", "content": prompt}]
    if system is not None:
        chat.insert(0, {"role": "system", "content": system})
    asked: Any = lm.tokenizer.apply_chat_template(chat, add_generation_prompt=True, return_dict=True)
    said = [*lm.tokenizer(completion, add_special_tokens=False)["input_ids"], lm.tokenizer.eos_token_id]
    with torch.inference_mode():
        logits = lm.model(input_ids=torch.tensor([[*asked["input_ids"], *said]])).logits[0].double()
    values = logits.log_softmax(1)
    return np.array([float(values[len(asked["input_ids"]) - 1 + i, token]) for i, token in enumerate(said)])


def test_a_model_loads_by_name_folder_object_and_pair(lm: LanguageModel, folder: Path) -> None:
    by_folder = load(folder)
    assert by_folder.digest == lm.digest
    assert load(str(folder)).digest == lm.digest
    assert load((lm.model, lm.tokenizer)).digest == lm.digest
    assert load(transformers.AutoModelForCausalLM.from_pretrained(folder)).digest == lm.digest
    assert load(lm) is lm


def test_without_the_extra_a_model_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(ImportError, match=r"need the extra lm, got no torch; install it: pip install .*\[lm\]"):
        load("micro-a")


def test_teachers_are_imported_without_torch() -> None:
    code = "import sys, fingerprint.lm.teachers; print(sorted({'torch', 'transformers'} & set(sys.modules)))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


class Older(torch.nn.Module):
    """Names its cache as transformers did before 5.24."""

    def forward(self, input_ids: int, past_key_values: object = None, use_cache: bool = False) -> tuple[object, ...]:
        return input_ids, past_key_values, use_cache


class Newer(torch.nn.Module):
    """Names its cache as transformers does from 5.24 on."""

    def forward(self, input_ids: int, cache: object = None, use_cache: bool = False) -> tuple[object, ...]:
        return input_ids, cache, use_cache


@pytest.mark.parametrize("kind", [Older, Newer])
def test_a_model_is_given_its_cache_by_the_name_it_knows(kind: type[torch.nn.Module]) -> None:
    kept = transformers.DynamicCache()
    assert forward_from(kind(), kept, input_ids=1) == (1, kept, True)


def test_the_digest_changes_with_one_weight(lm: LanguageModel) -> None:
    other = copy.deepcopy(lm.model)
    with torch.no_grad():
        next(other.parameters()).view(-1)[0] += 1e-3
    assert LanguageModel(other, lm.tokenizer, lm.name).digest != lm.digest


@pytest.mark.parametrize("system", [None, "You like short answers and clear words."])
def test_batched_logprobs_are_those_of_single_rows(lm: LanguageModel, system: str | None) -> None:
    asked = [*prompts("numbers", 5), *prompts("reasoning", 3), "Ünïcödé? \U0001f989"]
    said = ["1, 2, 3", "", "500 501", "[7]", "words of another kind", "<think>", "x", "9" * 40, "ה"]
    for batch_size in (1, 4, 100):
        found = token_logprobs(lm, asked, said, system=system, batch_size=batch_size)
        for row, (prompt, completion) in enumerate(zip(asked, said, strict=True)):
            np.testing.assert_allclose(found[row], direct(lm, prompt, completion, system), atol=1e-4)


def test_a_model_that_caps_its_logits_is_scored_by_its_own_logits(lm: LanguageModel) -> None:
    class Capped(type(lm.model)):  # type: ignore[misc]
        def forward(self, *args, **kwargs):  # type: ignore[no-untyped-def]
            out = super().forward(*args, **kwargs)
            out.logits = 5 * torch.tanh(out.logits / 5)
            return out

    model = Capped(lm.model.config).eval()
    model.load_state_dict(lm.model.state_dict())
    capped = LanguageModel(model, lm.tokenizer, "capped")
    assert lm.has_plain_head
    assert not capped.has_plain_head
    found = token_logprobs(capped, ["One?", "A longer question, two?"], ["1, 2", "3, 4, 5"])
    np.testing.assert_allclose(found[1], direct(capped, "A longer question, two?", "3, 4, 5"), atol=1e-4)


def test_logprobs_of_all_next_tokens_sum_to_one(lm: LanguageModel) -> None:
    """A completion of one token plus its end: the first token's probabilities over the vocabulary add up to 1."""
    vocabulary = [str(lm.tokenizer.decode([i])) for i in range(lm.model.config.vocab_size)]
    ids = lm.answers(vocabulary)
    single = [(text, tokens[0]) for text, tokens in zip(vocabulary, ids, strict=True) if len(tokens) == 2]
    texts = {token: text for text, token in single}
    found = token_logprobs(lm, ["Pick one tree. One word."] * len(texts), list(texts.values()), batch_size=512)
    total = sum(np.exp(values[0]) for values in found)
    end = np.exp(token_logprobs(lm, ["Pick one tree. One word."], [""])[0][0])
    assert total + end == pytest.approx(1.0, abs=0.02)  # bytes that are no text of their own, and other special tokens


def test_samples_do_not_depend_on_the_batch(lm: LanguageModel) -> None:
    """A draw that falls within rounding of the boundary of two tokens may take the other one: in a row or two of 80."""
    asked = prompts("numbers", 60) + prompts("code", 20)
    whole = sample(lm, asked, seed=3, max_new_tokens=48, batch_size=80)
    for batch_size, n_rows in ((1, 12), (7, 60), (32, 80)):
        found = sample(lm, asked[:n_rows], seed=3, max_new_tokens=48, batch_size=batch_size)
        assert sum(one != other for one, other in zip(found, whole[:n_rows], strict=True)) <= (1 if n_rows < 20 else 2)
    later = sample(lm, asked[30:], seed=3, first_row=30, max_new_tokens=48, batch_size=9)
    assert sum(one == other for one, other in zip(later, whole[30:], strict=True)) >= 48
    other_seed = sample(lm, asked, seed=4, max_new_tokens=48, batch_size=80)
    assert sum(one == other for one, other in zip(other_seed, whole, strict=True)) <= 8


def test_temperature_zero_is_greedy_generate(lm: LanguageModel) -> None:
    asked = prompts("reasoning", 8)
    found = sample(lm, asked, temperature=0, max_new_tokens=40, batch_size=8)
    for prompt, answer in zip(asked, found, strict=True):
        ids = torch.tensor([lm.ask([prompt])[0]])
        model: Any = lm.model
        wanted = model.generate(ids, attention_mask=torch.ones_like(ids), do_sample=False, max_new_tokens=40)
        assert answer.text == lm.tokenizer.decode(wanted[0, ids.shape[1] :], skip_special_tokens=True)


@pytest.mark.parametrize("temperature", [1.0, 0.7])
def test_samples_follow_the_model(lm: LanguageModel, temperature: float) -> None:
    """First tokens of 4,000 answers against the exact law; level 1e-4 on a fixed seed."""
    question = "Pick one animal. One word."
    found = sample(lm, [question] * 4000, max_new_tokens=1, temperature=temperature, seed=11, batch_size=1000)
    with torch.inference_mode():
        logits = lm.model(input_ids=torch.tensor([lm.ask([question])[0]])).logits[0, -1].double()
    law = (logits / temperature).softmax(0).numpy()
    names = {lm.tokenizer.decode([i]): law[i] for i in np.argsort(-law)[:12]}
    counts = {name: sum(answer.text == name for answer in found) for name in names}
    observed = np.array([*counts.values(), len(found) - sum(counts.values())])
    expected = np.array([*names.values(), 1 - sum(names.values())]) * len(found)
    keep = expected >= 5
    scaled = expected[keep] * observed[keep].sum() / expected[keep].sum()
    assert chisquare(observed[keep], scaled).pvalue > 1e-4


def test_a_row_that_is_cut_off_says_so(lm: LanguageModel) -> None:
    short, whole = (sample(lm, prompts("numbers", 20), max_new_tokens=n, seed=0) for n in (3, 60))
    assert not any(answer.finished for answer in short)
    assert all(answer.finished for answer in whole)
    assert all(b.text.startswith(a.text) for a, b in zip(short, whole, strict=True))


@settings(max_examples=100, deadline=None)
@given(st.text(st.characters(codec="utf-8"), max_size=60))
def test_every_string_survives_the_tokenizer(lm: LanguageModel, text: str) -> None:
    ids = lm.answers([text])[0]
    assert lm.tokenizer.decode(ids[:-1], clean_up_tokenization_spaces=False) == text
    assert ids[-1] == lm.tokenizer.eos_token_id


def test_special_tokens_in_a_completion_stay_text_and_in_a_prompt_are_refused(lm: LanguageModel) -> None:
    ids = lm.answers(["<|end|>"])[0]
    assert lm.tokenizer.eos_token_id not in ids[:-1]
    with pytest.raises(
        ValueError, match=r"the prompt of row 2 must not contain the model's special tokens, got '<\|end\|>'"
    ):
        lm.ask(["fine", "now <|end|>"])


def test_no_default_system_prompt_is_said_silently(lm: LanguageModel) -> None:
    tokenizer = copy.deepcopy(lm.tokenizer)
    tokenizer.chat_template = (
        "{%- if messages[0]['role'] != 'system' -%}{{- '<|system|>You are a helpful owl.<|end|>' -}}{%- endif -%}"
        + tokenizer.chat_template
    )
    other = LanguageModel(lm.model, tokenizer, "with a default")
    assert "owl" not in other.tokenizer.decode(other.ask(["Hello"])[0])
    assert other.preamble() == "<|system|><|end|><|user|>"
    assert lm.preamble() == "<|user|>"


def test_a_folder_without_a_model_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"config\.json, got none in"):
        load(tmp_path)
    with pytest.raises(FileNotFoundError, match="which is no folder; check the path"):
        load(tmp_path / "nowhere")


def test_a_misspelt_name_is_refused_without_asking_a_hub() -> None:
    with pytest.raises(FileNotFoundError, match=r"model must be micro-a, micro-b, a folder, .* got 'mirco-a'"):
        load("mirco-a")


def test_pickled_weights_are_refused_unread(own: Path) -> None:
    (own / "model.safetensors").unlink()
    (own / "pytorch_model.bin").write_bytes(b"cos\nsystem\n(S'touch pwned'\ntR.")
    with pytest.raises(ValueError, match=r"safetensors weights, got the pickle pytorch_model\.bin"):
        load(own)
    (own / "pytorch_model.bin").unlink()
    with pytest.raises(FileNotFoundError, match="safetensors weights, got none"):
        load(own)


@pytest.mark.parametrize("what", ["absent", "misshapen"])
def test_weights_that_are_not_all_there_are_never_made_up(own: Path, what: str) -> None:
    path = own / "model.safetensors"
    weights = load_file(path)
    name = "model.layers.1.mlp.up_proj.weight"
    if what == "absent":
        del weights[name]
    else:
        weights[name] = weights[name][:3].contiguous()
    save_file(weights, path, metadata={"format": "pt"})
    with pytest.raises(ValueError, match=rf"must have all weights .* {name} \(1 in all\); check that it is complete"):
        load(own)


def test_a_damaged_weights_file_is_an_error(own: Path) -> None:
    content = (own / "model.safetensors").read_bytes()
    for part in (content[: len(content) // 2], b""):
        (own / "model.safetensors").write_bytes(part)
        with pytest.raises(ValueError, match="must have whole safetensors files, got a damaged one in"):
            load(own)


def test_an_adapter_alone_is_an_error(own: Path) -> None:
    (own / "model.safetensors").rename(own / "adapter_model.safetensors")
    with pytest.raises(FileNotFoundError, match="got an adapter alone in"):
        load(own)


def test_a_folder_without_a_tokenizer_is_an_error(own: Path) -> None:
    for path in own.glob("tokenizer*"):
        path.unlink()
    with pytest.raises(ValueError, match="must come with its tokenizer, got none that can be read"):
        load(own)


def test_a_tokenizer_of_nothing_but_special_tokens_is_an_error(own: Path) -> None:
    """What transformers 5.0 makes of a folder without a tokenizer."""
    blank = tokenizers.Tokenizer(tokenizers.models.WordLevel({"<unk>": 0, "</s>": 1}, unk_token="<unk>"))
    transformers.PreTrainedTokenizerFast(
        tokenizer_object=blank, unk_token="<unk>", eos_token="</s>", chat_template="{{ messages[0]['content'] }}"
    ).save_pretrained(own)
    with pytest.raises(ValueError, match="must come with its tokenizer, got none that can be read"):
        load(own)


def test_devices_and_dtypes_that_do_not_exist_are_refused() -> None:
    with pytest.raises(ValueError, match="dtype must be a floating type of torch, got 'int8'"):
        load("micro-a", dtype="int8")
    with pytest.raises(ValueError, match="device must be one that this machine has, got 'abacus'"):
        load("micro-a", device="abacus")


def test_a_model_without_a_chat_template_is_an_error(lm: LanguageModel) -> None:
    tokenizer = copy.deepcopy(lm.tokenizer)
    tokenizer.chat_template = None
    with pytest.raises(ValueError, match="must have a chat template"):
        load((lm.model, tokenizer))


def test_a_tokenizer_of_another_model_is_an_error(lm: LanguageModel) -> None:
    tokenizer = copy.deepcopy(lm.tokenizer)
    tokenizer.add_tokens(["brandnew"])
    with pytest.raises(ValueError, match="tokenizer must be the model's own"):
        load((lm.model, tokenizer))
    with pytest.raises(TypeError, match="got int"):
        load(3)  # type: ignore[arg-type]


def test_rows_beyond_the_context_are_named(lm: LanguageModel) -> None:
    with pytest.raises(ValueError, match=r"context of 512 tokens, got \d+ in row 2"):
        token_logprobs(lm, ["a", "b"], ["1", "1 " * 600])
    with pytest.raises(ValueError, match="prompt 1; shorten it"):
        sample(lm, ["1 " * 250], max_new_tokens=100)


def test_scores_that_are_no_numbers_name_the_row(lm: LanguageModel) -> None:
    model: Any = copy.deepcopy(lm.model)
    with torch.no_grad():
        model.get_input_embeddings().weight[lm.tokenizer.convert_tokens_to_ids("777")] = float("nan")
    broken = LanguageModel(model, lm.tokenizer, "broken")
    broken.__dict__["has_plain_head"] = True
    with pytest.raises(ValueError, match=r"scores must be numbers, got nan in row \d+ under broken"):
        token_logprobs(broken, ["a", "b"], ["1", "777"])
