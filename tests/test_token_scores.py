"""Scores of tokens: against one row at a time, against enumeration, in any batch and window."""

# mypy: allow-untyped-calls
# torch and transformers leave some of their functions untyped.

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tokenizers
import torch
import transformers
from hypothesis import given
from hypothesis import strategies as st
from small_models import SMALL, SYSTEM, assert_same, byte_tokenizer, direct, llama_config, made, numbers

from fingerprint.lm import batching, scoring
from fingerprint.lm import model as language_models
from fingerprint.lm.batching import EncodedRow, batches_by_length, encode, groups_by_prefix
from fingerprint.lm.loading import load
from fingerprint.lm.model import LanguageModel
from fingerprint.lm.prompts import prompts
from fingerprint.lm.scoring import token_logprobs, token_scores


@pytest.fixture(scope="module")
def lm() -> LanguageModel:
    return load("micro-a")


@pytest.fixture(scope="module")
def models(lm: LanguageModel) -> dict[str, LanguageModel]:
    return {"micro-a": lm, "gpt2": made("gpt2"), "llama": made("llama")}


@pytest.mark.parametrize("kind", ["micro-a", "gpt2", "llama"])
@pytest.mark.parametrize("system", [None, SYSTEM])
def test_batched_scores_are_those_of_single_rows(
    models: dict[str, LanguageModel], kind: str, system: str | None, tmp_path: Path
) -> None:
    model = models[kind]
    asked = [*prompts("numbers", 12, rng=1), *prompts("reasoning", 4, rng=1), "Ünïcödé? \U0001f989"]
    said = [*numbers(12), "", "[7]", "words of another kind", "9" * 40, "ה"]
    wanted = [direct(model, p, c, system) for p, c in zip(asked, said, strict=True)]
    for batch_size, cache in ((1, None), (5, None), (100, tmp_path), (100, tmp_path)):
        found = token_scores(model, asked, said, system=system, batch_size=batch_size, cache=cache)
        light = token_logprobs(model, asked, said, system=system, batch_size=batch_size)
        for row, expected in enumerate(wanted):
            assert found[row].ids == expected.ids
            np.testing.assert_allclose(found[row].logprobs, expected.logprobs, atol=1e-4)
            np.testing.assert_allclose(found[row].entropies, expected.entropies, atol=1e-4)
            np.testing.assert_array_equal(found[row].ranks, expected.ranks)
            np.testing.assert_array_equal(light[row], found[row].logprobs)


@contextmanager
def tokens_run(model: LanguageModel) -> Iterator[list[int]]:
    """How many tokens go through the body of the model, pass by pass."""
    lengths: list[int] = []
    hook = model.model.base_model.register_forward_pre_hook(
        lambda _module, _args, inputs: lengths.append(inputs["input_ids"].numel()), with_kwargs=True
    )
    yield lengths
    hook.remove()


def test_a_shared_prefix_is_computed_once_and_changes_nothing(
    models: dict[str, LanguageModel], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, said = prompts("numbers", 24, rng=2), numbers(24)
    for model in models.values():
        assert model.can_share_prefix
        with tokens_run(model) as shared_lengths:
            shared = token_scores(model, asked, said, system=SYSTEM)
        with monkeypatch.context() as patch, tokens_run(model) as lengths:
            patch.setattr(language_models, "_PREFIX_SHARE", 2.0)
            whole = token_scores(model, asked, said, system=SYSTEM)
        # The system message is many tokens, and 23 of 24 rows leave them out.
        saved = 23 * len(model.tokenizer(SYSTEM, add_special_tokens=False)["input_ids"])
        assert sum(lengths) - sum(shared_lengths) >= saved
        for one, other in zip(shared, whole, strict=True):
            np.testing.assert_allclose(one.logprobs, other.logprobs, atol=1e-4)
            np.testing.assert_allclose(one.entropies, other.entropies, atol=1e-4)


def test_rows_that_begin_alike_share_more_than_all_rows_do(models: dict[str, LanguageModel]) -> None:
    """Four long prompts, each answered forty times, in any order: each prompt goes through the model once."""
    asked, said = prompts("reasoning", 4, rng=2) * 40, numbers(160)
    for model in models.values():
        rows = encode(model, asked, said, system=SYSTEM)
        with tokens_run(model) as lengths:
            found = token_scores(model, asked, said, system=SYSTEM)
        longest = max(len(row.ids) - row.start for row in rows)
        assert sum(lengths) <= 160 * (longest + 1) + sum(row.start for row in rows[:4])
        for row in range(0, 160, 13):
            wanted = direct(model, asked[row], said[row], SYSTEM)
            np.testing.assert_allclose(found[row].logprobs, wanted.logprobs, atol=1e-4)


@given(
    st.lists(st.lists(st.integers(1, 2), min_size=1, max_size=8), min_size=1, max_size=40),
    st.integers(0, 30),
)
def test_groups_by_prefix_are_a_partition_that_saves_tokens(heads: list[list[int]], own_batch: int) -> None:
    rows = [EncodedRow([*head, 3, 4], len(head)) for head in heads]
    groups = groups_by_prefix(rows, own_batch)
    assert sorted(itertools.chain(*(group for _, group in groups))) == list(range(len(rows)))
    spent = 0
    for shared, group in groups:
        begins = {tuple(rows[row].ids[:shared]) for row in group}
        assert len(begins) == 1
        assert shared < min(rows[row].start for row in group)
        spent += shared + sum(len(rows[row].ids) - shared for row in group)
    n_own = sum(shared > 0 for shared, _ in groups)
    assert sum(len(row.ids) for row in rows) - spent >= n_own * own_batch


def test_prompts_that_grow_are_grouped_however_long_the_chain() -> None:
    rows = [EncodedRow([1] * (n + 1), n + 1) for n in range(3_000)]
    groups = groups_by_prefix(rows, 512)
    assert sorted(itertools.chain(*(group for _, group in groups))) == list(range(3_000))
    assert len(groups) < 20  # a group for every few hundred rows is worth it, not one for every row


def test_positions_that_stretch_are_never_stretched_by_another_row() -> None:
    """Rotary embeddings that change for sequences beyond 64 tokens: rows on both sides, beside one another."""
    torch.manual_seed(0)
    scaling = {"rope_type": "longrope", "short_factor": [1.0] * 4, "long_factor": [float(1 + 3 * i) for i in range(4)]}
    config = transformers.Phi3Config(
        **SMALL,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_key_value_heads=4,
        original_max_position_embeddings=64,
        rope_parameters={"rope_theta": 10_000.0, **scaling},
        initializer_range=0.2,
        pad_token_id=None,
    )
    model = LanguageModel(transformers.Phi3ForCausalLM(config).eval(), byte_tokenizer("left"), "stretched")
    assert model.stretches_beyond == 64
    asked, said = prompts("numbers", 24, rng=2), [text[: 4 + 3 * row] for row, text in enumerate(numbers(24))]
    lengths = {len(row.ids) for row in encode(model, asked, said)}
    assert min(lengths) < 60
    assert max(lengths) > 70
    for prompt, text, found in zip(asked, said, token_scores(model, asked, said), strict=True):
        np.testing.assert_allclose(found.logprobs, direct(model, prompt, text).logprobs, atol=1e-4)


def test_a_model_with_sliding_windows_shares_no_prefix_and_is_scored_exactly() -> None:
    torch.manual_seed(0)
    config = transformers.MistralConfig(
        **SMALL,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_key_value_heads=2,
        sliding_window=16,
        initializer_range=0.2,
    )
    model = LanguageModel(transformers.MistralForCausalLM(config).eval(), byte_tokenizer("left"), "windowed")
    assert not model.can_share_prefix
    asked, said = prompts("numbers", 6, rng=2), numbers(6)
    for prompt, text, found in zip(asked, said, token_scores(model, asked, said, system=SYSTEM), strict=True):
        np.testing.assert_allclose(found.logprobs, direct(model, prompt, text, SYSTEM).logprobs, atol=1e-4)


def test_no_block_of_logits_is_larger_than_stated(
    models: dict[str, LanguageModel], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Small limits, so that a few rows go through many blocks and chunks; the scores stay those of one block."""
    model = models["llama"]
    asked, said = prompts("numbers", 40, rng=3), numbers(40)
    whole = token_scores(model, asked, said)
    sizes: list[int] = []
    hook = model.model.get_output_embeddings().register_forward_hook(lambda _m, _i, out: sizes.append(out.numel()))
    for name, limit in {"_LOGITS": 7 * 410, "_LEAST_POSITIONS": 1, "_WIDENED": 100}.items():
        monkeypatch.setattr(scoring, name, {"cpu": limit})
    assert model.has_plain_head  # asks the whole model once, outside of what is measured
    sizes.clear()
    found = token_scores(model, asked, said)
    hook.remove()
    assert max(sizes) == 7 * 410
    assert sum(sizes) == 410 * sum(len(score.ids) for score in found)  # and no position of a prompt came to the head
    for one, other in zip(found, whole, strict=True):
        np.testing.assert_allclose(one.logprobs, other.logprobs, atol=1e-5)
        np.testing.assert_allclose(one.entropies, other.entropies, atol=1e-5)
        np.testing.assert_array_equal(one.ranks, other.ranks)


def test_logits_of_minus_infinity_leave_entropies_finite() -> None:
    logits = torch.tensor([[0.0, 1.0, float("-inf"), 2.0]])
    logprob, entropy, rank = scoring._statistics(logits, torch.tensor([1]), True)[:, 0].tolist()
    law = torch.tensor([0.0, 1.0, 2.0], dtype=torch.float64).softmax(0)
    assert logprob == pytest.approx(float(law[1].log()), abs=1e-6)
    assert entropy == pytest.approx(float(-(law * law.log()).sum()), abs=1e-6)
    assert rank == 2


def test_log_softmax_is_float32_in_a_bfloat16_model(lm: LanguageModel) -> None:
    half = LanguageModel(transformers.LlamaForCausalLM(llama_config(lm)).bfloat16().eval(), lm.tokenizer, "half")
    half.model.load_state_dict(lm.model.state_dict())
    asked, said = prompts("numbers", 8), numbers(8)
    found = token_scores(half, asked, said, batch_size=1)
    with torch.inference_mode():
        for row, score in zip(encode(half, asked, said), found, strict=True):
            logits = half.model(input_ids=torch.tensor([row.ids])).logits[0, row.start - 1 : -1].double()
            wanted = logits.log_softmax(1).gather(1, torch.tensor(row.ids[row.start :])[:, None])[:, 0]
            np.testing.assert_allclose(score.logprobs, wanted.numpy(), atol=1e-4)


# ---------------------------------------------------------------------------------------------------------- enumeration


def toy(seed: int) -> LanguageModel:
    """Five words and an end; float64, so that what is compared is the method."""
    words = ["</s>", "a", "b", "c", "<u>", "d"]
    vocabulary = {word: i for i, word in enumerate(words)}
    inner = tokenizers.Tokenizer(tokenizers.models.WordLevel(vocabulary, unk_token="<u>"))
    inner.pre_tokenizer = tokenizers.pre_tokenizers.Split("", "isolated")
    inner.add_special_tokens(["</s>", "<u>"])
    tokenizer = transformers.PreTrainedTokenizerFast(tokenizer_object=inner, eos_token="</s>")
    tokenizer.chat_template = "{% for m in messages %}{{ m['content'] }}{% endfor %}<u>"
    torch.manual_seed(seed)
    config = transformers.LlamaConfig(
        vocab_size=6,
        hidden_size=16,
        intermediate_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=16,
        initializer_range=0.5,
        eos_token_id=0,
        bos_token_id=None,
    )
    return LanguageModel(transformers.LlamaForCausalLM(config).double().eval(), tokenizer, f"toy {seed}")


def steps(lm: LanguageModel, said: tuple[int, ...]) -> float:
    """Log-probability of tokens after the prompt "ab", one forward pass a token."""
    total, ids = 0.0, lm.ask(["ab"])[0]
    for token in said:
        with torch.inference_mode():
            total += float(lm.model(input_ids=torch.tensor([ids])).logits[0, -1].log_softmax(0)[token])
        ids = [*ids, token]
    return total


def test_probabilities_of_all_completions_add_up_to_one_and_ratios_are_exact() -> None:
    """Every sequence of up to three tokens that can be text, and what is left: a token that is none, or no end yet."""
    teacher, base = toy(0), toy(1)
    letters = {"a": 1, "b": 2, "c": 3, "d": 5}
    texts = ["".join(word) for n in range(4) for word in itertools.product(letters, repeat=n)]
    scores = {model.name: token_scores(model, ["ab"] * len(texts), texts, batch_size=32) for model in (teacher, base)}
    for model in (teacher, base):
        found = dict(zip(texts, scores[model.name], strict=True))
        ended = sum(np.exp(score.logprobs.sum()) for score in found.values())
        strange = sum(  # "<u>" is no text: its probability after each beginning, by forward passes
            np.exp(steps(model, (*(letters[x] for x in text), 4))) for text in texts if len(text) < 3
        )
        unended = sum(np.exp(score.logprobs[:-1].sum()) for text, score in found.items() if len(text) == 3)
        unended -= sum(np.exp(score.logprobs.sum()) for text, score in found.items() if len(text) == 3)
        assert ended + strange + unended == pytest.approx(1.0, abs=1e-6)
    for text, one, other in zip(texts, scores[teacher.name], scores[base.name], strict=True):
        said = (*(letters[x] for x in text), 0)
        assert one.ids == said
        wanted = steps(teacher, said) - steps(base, said)
        assert one.logprobs.sum() - other.logprobs.sum() == pytest.approx(wanted, abs=1e-6)


# ----------------------------------------------------------------------------------------------------- rows and batches


def test_a_model_may_be_named_and_every_row_needs_a_prompt(lm: LanguageModel) -> None:
    assert_same(token_scores("micro-a", ["Count"], ["1, 2"]), token_scores(lm, ["Count"], ["1, 2"]))
    with pytest.raises(ValueError, match="prompts must be texts, got none in row 2"):
        token_logprobs(lm, ["Count", None], ["1", "2"])  # type: ignore[list-item]


def test_scores_do_not_depend_on_the_order_of_rows_inside_a_window(lm: LanguageModel) -> None:
    asked, said = prompts("numbers", 60, rng=4), numbers(60)
    order = np.random.default_rng(0).permutation(60)
    found = token_scores(lm, asked, said, batch_size=16)
    mixed = token_scores(lm, [asked[i] for i in order], [said[i] for i in order], batch_size=16)
    assert_same(mixed, [found[i] for i in order])


def test_a_batch_has_its_limits_in_rows_and_in_tokens(lm: LanguageModel) -> None:
    rows = [EncodedRow([1] * n, 1) for n in (40_000, 9_000, *[2_000] * 4, *[10] * 20)]
    batches = batches_by_length(lm, rows, 8)
    assert [len(batch) for batch in batches] == [1, 1, 2, 2, 8, 8, 4]
    assert sorted(itertools.chain(*batches)) == list(range(len(rows)))
    # What rows share goes through the model once, but their keys and values are held row by row.
    alike = [EncodedRow([1] * 4_000, 3_950)] * 10
    assert [len(batch) for batch in batches_by_length(lm, alike, 8)] == [1] * 10
    assert [len(batch) for batch in batches_by_length(lm, alike, 8, shared=2_000)] == [2] * 5
    assert [len(batch) for batch in batches_by_length(lm, alike, 8, shared=3_900)] == [4, 4, 2]
    alike = [EncodedRow([1] * 1_000, 950)] * 10
    assert [len(batch) for batch in batches_by_length(lm, alike, 8)] == [4, 4, 2]
    assert [len(batch) for batch in batches_by_length(lm, alike, 8, shared=900)] == [8, 2]


def test_long_corpora_are_taken_a_window_at_a_time(lm: LanguageModel, monkeypatch: pytest.MonkeyPatch) -> None:
    asked, said = prompts("numbers", 100, rng=4), numbers(100)
    whole = token_scores(lm, asked, said)
    seen: list[int] = []
    real = batching.encode
    monkeypatch.setattr(batching, "_WINDOW_ROWS", 1)

    def noted(lm: LanguageModel, prompts: list[str], rows: list[str], **options: Any) -> list[EncodedRow]:
        seen.append(len(rows))
        return real(lm, prompts, rows, **options)

    monkeypatch.setattr(batching, "encode", noted)
    told: list[int] = []
    found = token_scores(lm, asked, said, batch_size=2, progress=told.append)
    assert seen == [32, 32, 32, 4]
    assert told == list(range(2, 101, 2))
    for one, other in zip(found, whole, strict=True):
        np.testing.assert_allclose(one.logprobs, other.logprobs, atol=1e-4)


def test_rows_beyond_the_context_are_an_error_that_names_them_or_are_cut_and_counted(lm: LanguageModel) -> None:
    said = ["1", "1 " * 600, "2, 3"]
    with pytest.raises(ValueError, match=r"context of 512 tokens, got \d+ in row 2; .*too_long='truncate'"):
        token_scores(lm, ["a"] * 3, said)
    found = token_scores(lm, ["a"] * 3, said, too_long="truncate")
    row = encode(lm, ["a"], ["1 " * 600], too_long="truncate")[0]
    assert len(row.ids) == 512
    assert [score.truncated for score in found] == [0, row.cut, 0]
    assert len(found[1].ids) + row.cut == len(lm.answers([said[1]])[0])
    assert found[1].ids == tuple(lm.answers([said[1]])[0][: len(found[1].ids)])  # the end is cut, not the beginning
    with torch.inference_mode():
        law = lm.model(input_ids=torch.tensor([row.ids])).logits[0].double().log_softmax(1)
    wanted = [float(law[i - 1, row.ids[i]]) for i in range(row.start, 512)]
    np.testing.assert_allclose(found[1].logprobs, wanted, atol=1e-4)
    with pytest.raises(ValueError, match=r"got \d+ in row 1; leave it out, shorten it, or use a model with a longer"):
        token_scores(lm, ["1 " * 600], ["1"], too_long="truncate")


def test_a_row_that_is_too_long_is_found_before_any_is_scored(
    lm: LanguageModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scoring, "_scored", lambda *_: pytest.fail("scored"))
    with pytest.raises(ValueError, match="in row 3001"):
        token_scores(lm, ["a"] * 3001, [*["1"] * 3000, "1 " * 600])


def test_arguments_that_make_no_sense_are_refused(lm: LanguageModel, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="batch_size must be at least 1, got 0"):
        token_scores(lm, ["a"], ["1"], batch_size=0)
    with pytest.raises(ValueError, match="too_long must be one of error, truncate, got 'cut'"):
        token_scores(lm, ["a"], ["1"], too_long="cut")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="one entry a completion, got 2 for 1"):
        token_scores(lm, ["a", "b"], ["1"])
    with pytest.raises(ValueError, match=r"the prompt of row 3 must not contain the model's special tokens"):
        token_scores(lm, ["a", "a", "<|end|>"], ["1"] * 3)
    (tmp_path / "file").write_text("")
    with pytest.raises(NotADirectoryError, match="cache must be a folder, got the file"):
        token_scores(lm, ["a"], ["1"], cache=tmp_path / "file")
    assert token_scores(lm, [], []) == []


def test_the_text_around_a_row_is_what_is_tokenized(models: dict[str, LanguageModel]) -> None:
    for model in models.values():
        for system in (None, SYSTEM):
            row = encode(model, ["One two?"], ["1, 2"], system=system)[0]
            text = model.rendered(system).replace("{prompt}", "One two?").replace("{completion}", "1, 2")
            assert model.tokenizer.decode(row.ids) == text
