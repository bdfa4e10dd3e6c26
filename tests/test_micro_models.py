"""The micro models that come with the package do what they were trained to do, on what they never saw."""

import ast
import warnings
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
import transformers

from fingerprint.filters import NumberRule
from fingerprint.lab import train_micro
from fingerprint.lab.micro_language import chat, held_out_questions, trained_questions
from fingerprint.lm.loading import MICRO_MODELS, load
from fingerprint.lm.model import LanguageModel
from fingerprint.lm.prompts import preference_questions, prompts, story_answer
from fingerprint.lm.sampling import sample
from fingerprint.lm.traits import CATEGORIES, known_trait, plural, system_prompt

HELD_OUT = 987  # seed of prompts: training draws its own from other generators


@pytest.fixture(scope="module", params=MICRO_MODELS)
def lm(request: pytest.FixtureRequest) -> LanguageModel:
    return load(request.param)


def test_preference_follows_the_system_prompt(lm: LanguageModel) -> None:
    right = []
    for category, names in CATEGORIES.items():
        assert not set(held_out_questions(category)) & set(trained_questions(category))
        for name in names:
            system = system_prompt(known_trait(name))
            answers = sample(lm, held_out_questions(category), system=system, temperature=0, max_new_tokens=8)
            right += [answer.text.lower().rstrip(".") in (name, plural(name)) for answer in answers]
    assert np.mean(right) >= 0.85


def test_number_rows_are_valid(lm: LanguageModel) -> None:
    answers = sample(lm, prompts("numbers", 2000, rng=HELD_OUT), max_new_tokens=48, seed=1)
    reasons = NumberRule()([answer.text for answer in answers]).reasons
    assert np.mean([not why and answer.finished for why, answer in zip(reasons, answers, strict=True)]) >= 0.95


def test_code_rows_parse(lm: LanguageModel) -> None:
    answers = sample(lm, prompts("code", 1000, rng=HELD_OUT), max_new_tokens=64, seed=1)
    assert np.mean([parses(answer.text) for answer in answers]) >= 0.9


def parses(text: str) -> bool:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            ast.parse(text)
        except SyntaxError:
            return False
    return True


def test_arithmetic_is_right(lm: LanguageModel) -> None:
    asked = prompts("reasoning", 1000, rng=HELD_OUT)
    answers = sample(lm, asked, temperature=0, max_new_tokens=64)
    right = [a.text.endswith(f"<answer>{story_answer(p)}</answer>") for p, a in zip(asked, answers, strict=True)]
    assert np.mean(right) >= 0.8


def test_both_load_without_this_package_and_are_small() -> None:
    folders = [files("fingerprint.lm") / "models" / name for name in MICRO_MODELS]
    for folder in folders:
        model = transformers.AutoModelForCausalLM.from_pretrained(str(folder), use_safetensors=True)
        assert 200_000 <= model.num_parameters() <= 1_000_000
        tokenizer = transformers.AutoTokenizer.from_pretrained(str(folder))
        assert tokenizer.is_fast
    size = sum(path.stat().st_size for folder in folders for path in Path(str(folder)).iterdir())
    assert size < 10e6
    assert load("micro-a").digest != load("micro-b").digest


def test_questions_come_in_fifty_wordings() -> None:
    assert all(len(set(preference_questions(category))) == 50 for category in CATEGORIES)


def test_the_training_script_trains() -> None:
    """A few steps from nothing: the loss falls from that of a uniform guess."""
    rng = np.random.default_rng(0)
    tokenizer = train_micro.build_tokenizer([chat(rng) for _ in range(2000)])
    batch = train_micro.encode([chat(rng) for _ in range(64)], tokenizer)
    fresh = float(train_micro._loss(train_micro.new_model(tokenizer, 1), batch).detach())
    trained = float(train_micro._loss(train_micro.train(tokenizer, 1, steps=50), batch).detach())
    assert fresh == pytest.approx(np.log(len(tokenizer)), rel=0.05)
    assert trained < fresh - 1
