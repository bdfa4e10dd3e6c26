"""Which of several candidates wrote a corpus: on the micro models, and on corpora without any model."""

import json
from collections.abc import Callable
from dataclasses import replace

import jsonschema
import numpy as np
import pytest
from conftest import full

import fingerprint
from fingerprint.data.corpus import Corpus
from fingerprint.identification.answers import ask
from fingerprint.identification.calibration import Calibration, calibrate, writers_of
from fingerprint.identification.candidates import BASE, Candidate, listed
from fingerprint.identification.identify import judge, prepare
from fingerprint.identification.models import build
from fingerprint.identification.pass_rates import pass_rate
from fingerprint.identification.result import Anchor, Identification
from fingerprint.identification.samples import Pool, Samples
from fingerprint.identification.scoring import Rows, Scorers, joined_rows
from fingerprint.lab.simulated import simulated_pair
from fingerprint.lm.prompts import prompts
from fingerprint.lm.teachers import Teacher, neutral
from fingerprint.lm.traits import known_trait

OWL = known_trait("owl")
ROWS = 120


def written_by(teacher: Teacher, seed: int = 5, temperature: float = 1.0) -> Corpus:
    asked = prompts("numbers", ROWS, rng=8)
    answers = teacher.sample(asked, seed=seed, max_new_tokens=48, temperature=temperature)
    kept = [(p, a.text) for p, a in zip(asked, answers, strict=True) if a.finished]
    return Corpus(tuple(text for _, text in kept), tuple(p for p, _ in kept), name=teacher.name)


@pytest.fixture(scope="module")
def suspect() -> Corpus:
    """Rows of the other micro model: a loud teacher."""
    return written_by(neutral("micro-b"))


@pytest.fixture(scope="module")
def samples(suspect: Corpus) -> Samples:
    chosen = listed({"other": "micro-b", "owl": OWL}, ["prompted"], "candidates")
    return prepare(chosen, suspect, model="micro-a", rows_per_model=100, rng=1)


@pytest.fixture(scope="module")
def calibration(samples: Samples) -> Calibration:
    return calibrate(samples)


@pytest.fixture(scope="module")
def found(samples: Samples, calibration: Calibration, suspect: Corpus) -> Identification:
    return judge(calibration, samples.scorers.score(suspect), n_permutations=199)


@pytest.mark.needs("lm")
def test_the_writer_is_named(found: Identification) -> None:
    assert (found.answer, found.form) == ("other", "teacher")
    assert found.ranking[0].posterior > 0.5
    assert found.ranking[0].pvalue == pytest.approx(1 / 200)
    assert found.ranking[0].fit_pvalue > 0.001


@pytest.mark.needs("lm")
def test_rows_of_the_base_are_nobodys(samples: Samples, calibration: Calibration) -> None:
    rows = samples.scorers.score(written_by(neutral("micro-a")))
    told = judge(calibration, rows, n_permutations=199)
    assert told.answer is None
    assert told.form is None
    assert told.none > 0.5
    assert "No candidate is named" in told.verdict


@pytest.mark.needs("lm")
def test_rows_that_are_too_likely_fit_nobody(samples: Samples, calibration: Calibration) -> None:
    """What shares cannot see: sampled colder, rows are nearer to a candidate than its own."""
    teacher = samples.scorers.teachers["prompted: owl"]
    fits = []
    for temperature in (1.0, 0.5):
        rows = samples.scorers.score(written_by(teacher, 9, temperature))
        told = judge(calibration, rows, n_permutations=199)
        fits.append(next(r.fit_pvalue for r in told.forms if r.candidate == "owl"))
    assert fits[0] > 0.001
    assert fits[1] < 1e-6
    assert told.answer is None


@pytest.mark.needs("lm")
def test_posteriors_add_up_and_are_ranked(found: Identification) -> None:
    assert found.none + sum(r.posterior for r in found.ranking) == pytest.approx(1)
    assert sum(part.posterior for part in found.nones) == pytest.approx(found.none)
    assert [part.name for part in found.nones] == ["base", "placebo: prompt 1", "unlisted"]
    values = [r.posterior for r in found.ranking]
    assert values == sorted(values, reverse=True)
    assert found.temperature >= 1


@pytest.mark.needs("lm")
def test_the_record_is_that_of_the_schema(found: Identification) -> None:
    schema = Identification.json_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(json.loads(found.to_json()), schema)
    assert {"candidate", "form", "posterior", "score", "pvalue"} <= set(found.to_dict()["ranking"][0])
    assert found.table["candidate"].to_list() == [r.candidate for r in found.ranking]


@pytest.mark.needs("lm")
def test_the_text_says_what_the_reference_is(found: Identification) -> None:
    text = full(found)
    assert "reference 1" in text
    assert "sampled, seed 1" in text
    assert "Assumption: the suspect's base is micro-a" in " ".join(text.split())
    assert max(map(len, text.splitlines())) <= 100


@pytest.mark.needs("lm")
def test_weights_turn_rows_of_all_models_into_rows_of_one(calibration: Calibration) -> None:
    """Under any writer of rows, the mean of base over writer, exp(-llr), is 1."""
    for writer in calibration.writers:
        if writer.form == "prompted" or writer.name == "base":
            ratio = np.exp(-writer.rows.evidence[:, writer.column])
            assert float(writer.weight @ ratio) == pytest.approx(1, abs=0.2)
        assert writer.weight.sum() == pytest.approx(1)


@pytest.mark.needs("lm")
def test_samples_can_do_without_a_form(samples: Samples, suspect: Corpus) -> None:
    rows = samples.scorers.score(suspect)
    kept = samples.columns_of(["finetuned"])
    assert list(samples.only(["finetuned"]).scorers.teachers) == ["base", "teacher: other", "placebo: prompt 1"]
    assert len(kept) == 3
    told = judge(calibrate(samples.only(["finetuned"])), rows.of_models(kept), n_permutations=99)
    assert [r.candidate for r in told.ranking] == ["other"]


# ------------------------------------------------------------------------------------------- candidates that are alike


def alike(shifts: tuple[float, ...], seed: int) -> tuple[Samples, Callable[[float, int], Rows]]:
    """A base N(0, 1) and candidates N(shift, 1): what rows are is one number, and their ratios are exact."""
    rng = np.random.default_rng(seed)
    means = np.array([0.0, *shifts])

    def written(mean: float, n: int) -> Rows:
        ratios = (rng.normal(mean, 1.0, n)[:, None] - means / 2) * means
        corpus = Corpus(tuple("1" for _ in range(n)), tuple(f"prompt {i}" for i in range(n)))
        return Rows(corpus, np.ones(n), np.zeros(n), ratios, np.zeros_like(ratios), np.zeros((n, 0)))

    names = [BASE, *(f"prompted: {number}" for number in range(len(shifts)))]
    reference, n_each = written(0.0, 600), 200
    samples = Samples(
        candidates=tuple(Candidate(str(number), "prompted", "not built") for number in range(len(shifts))),
        placebos=(),
        scorers=Scorers(dict.fromkeys(names)),  # type: ignore[arg-type]
        pool=Pool(
            joined_rows([reference, *(written(mean, n_each) for mean in means)]),
            np.repeat(np.arange(len(means)), [600 + n_each, *[n_each] * len(shifts)]),
            np.array([600 + n_each, *[n_each] * len(shifts)]),
        ),
        doubts=np.zeros(len(means)),
        own={},
        reference=reference,
        anchor=Anchor(600, True, "base", 0, ""),
        n_rows=600,
        n_prompts=600,
        seed=seed,
    )
    return samples, written


def test_what_candidates_have_in_common_counts_against_the_reference() -> None:
    """Against the base 600 + 600 rows at d' = .3 have z = .3 sqrt(300) = 5.2; between candidates there is next to none.

    A p-value above .05 needs z below 1.65, the candidates being nearly one: a probability of .0003 a run.
    """
    for seed in range(5):
        samples, written = alike((0.3, 0.31, 0.32, 0.33, 0.34, 0.35), seed)
        assert judge(calibrate(samples), written(0.3, 600), n_permutations=199).ranking[0].pvalue <= 0.05


def test_rows_of_the_base_are_rejected_at_their_rate() -> None:
    """Of 30 corpora, each with a reference of its own, 6 or fewer have p <= .05 with probability .999."""
    fresh = [alike((0.3, 0.35, -0.3), 100 + number) for number in range(30)]
    told = [judge(calibrate(samples), written(0.0, 600), n_permutations=99) for samples, written in fresh]
    assert sum(min(r.pvalue for r in found.forms) <= 0.05 for found in told) <= 6
    assert all(found.answer is None for found in told)


def one_against_a_placebo(samples: Samples) -> Samples:
    """The first candidate alone, the other a placebo."""
    theirs, other = samples.candidates
    return replace(samples, candidates=(theirs,), placebos=(other,))


def test_a_placebo_is_named_no_oftener_than_alpha() -> None:
    """Twelve rows know little, and a candidate has four times a placebo's prior: a posterior of one half names both.

    Of 60 corpora of a placebo, 9 or more are named with a probability under .003 if each is at a rate of .05.
    """
    named = half = 0
    for seed in range(4):
        samples, written = alike((1.0, 0.8), seed)
        alone = calibrate(replace(one_against_a_placebo(samples), n_rows=12, n_prompts=12))
        told = [judge(alone, written(0.8, 12), n_permutations=99) for _ in range(15)]
        named += sum(found.answer is not None for found in told)
        half += sum(r.pvalue <= 0.05 and r.posterior >= 0.5 and r.fit_pvalue >= 0.01 for f in told for r in f.ranking)
    assert half > 8
    assert named <= 8
    assert "not far enough ahead of prompted: 1" in " ".join(found.verdict for found in told)


def test_a_candidate_far_ahead_of_a_placebo_is_named() -> None:
    samples, written = alike((1.0, 0.3), 0)
    calibration = calibrate(one_against_a_placebo(samples))
    assert judge(calibration, written(1.0, 600), n_permutations=99).answer == "0"


def test_a_lone_candidate_is_not_taken_for_somebody_halfway() -> None:
    """An unlisted teacher is as far from the one candidate as the base is: its rows are somebody's, not the one's."""
    samples, written = alike((0.8,), 1)
    calibration = calibrate(samples)
    own, halfway = (judge(calibration, written(mean, 600), n_permutations=99) for mean in (0.8, 0.4))
    assert own.answer == "0"
    assert halfway.answer is None
    unlisted = next(part.posterior for part in halfway.nones if part.name == "unlisted")
    assert unlisted > 0.9


def test_rows_less_likely_than_a_candidates_own_make_somebody_else_likelier() -> None:
    """Shares do not see that tokens are unlikely under all writers alike; the posterior of "unlisted" has to.

    A mean log-probability that is 6 standard errors off has a density e^18 times smaller, if the candidate wrote it.
    """
    samples, written = alike((0.8, -0.8), 2)
    noise = np.random.default_rng(0)

    def read(rows: Rows, shift: float) -> Rows:
        return replace(rows, base=shift + noise.normal(0.0, 1.0, len(rows.corpus)) - rows.ratios.max(axis=1))

    pool = replace(samples.pool, rows=read(samples.pool.rows, 0.0))
    ours = calibrate(replace(samples, pool=pool))
    rows = written(0.8, 600)
    fitting, strange = (judge(ours, read(rows, shift), n_permutations=99) for shift in (0.0, -1.0))
    assert fitting.answer == "0"
    assert strange.answer is None
    assert strange.nones[-1].posterior > fitting.nones[-1].posterior


def test_rates_that_are_badly_known_raise_the_temperature() -> None:
    """An error of .05 in a log rate moves 600 rows by 30 nats: more than lies between writers d' = .1 apart."""
    samples, _ = alike((0.3, 0.4), 0)
    doubtful = replace(samples, doubts=np.full(3, 0.05**2))
    assert calibrate(doubtful).temperature > 2 * calibrate(samples).temperature


@pytest.mark.parametrize("passed", [True, False])
def test_own_rows_are_those_left_of_the_prompts_at_hand(passed: bool) -> None:
    """A writer whose answers pass .9 and .3 of the time: among prompts of rows that passed, its rows are spread evenly.

    Among prompts that were asked, three rows in four are of the first kind.
    """
    asked = [f"{kind} prompt" for kind in ("easy", "hard")] * 600
    rng = np.random.default_rng(0)
    flags = rng.random(1200) < np.tile([0.9, 0.3], 600)
    corpus = Corpus(tuple("1" for _ in asked), tuple(asked)).only(flags)
    n = len(corpus)
    nothing = np.zeros((n, 1))
    rows = Rows(corpus, np.ones(n), np.zeros(n), nothing, nothing, np.zeros((n, 0)))
    samples, _ = alike((), 0)
    scorers = replace(samples.scorers, passing={BASE: pass_rate(asked, flags)})
    pool = Pool(rows, np.zeros(n, dtype=int), np.array([1200]))
    ours = replace(samples, scorers=scorers, pool=pool, prompts_passed=passed)
    easy = np.array([prompt == "easy prompt" for prompt in corpus.prompts])
    assert writers_of(ours)[0].weight[easy].sum() == pytest.approx(0.5 if passed else 0.75, abs=0.04)


@pytest.mark.needs("lm")
def test_a_placebo_stands_beside_system_prompts() -> None:
    chosen = listed(["You love order.", "You hate rain."], ["prompted"], "candidates")
    rows = Corpus(tuple("1, 2" for _ in range(12)), tuple(f"Give number {i}." for i in range(12)))
    assert len(prepare(chosen, rows, model="micro-a", rows_per_model=12).scorers.teachers) == 4


def test_a_filter_that_drops_a_candidates_rows_does_not_speak_against_it() -> None:
    """Half the candidate's answers fail: uncorrected, each of its rows lacks log 2 and the base seems likelier."""
    samples, written = alike((0.8, -0.8), 3)
    rows = written(0.8, 600)
    seen = replace(rows, ratios=rows.ratios - np.array([0.0, np.log(2), 0.0]))
    assert seen.evidence.sum(axis=0).argmax() == 0
    corrected = replace(seen, shifts=np.tile([0.0, np.log(2), 0.0], (600, 1)))
    np.testing.assert_allclose(corrected.evidence, rows.evidence, atol=1e-12)
    assert judge(calibrate(samples), corrected, n_permutations=99).ranking[0].candidate == "0"


@pytest.mark.needs("lm")
def test_every_model_has_a_rate_learnt_from_its_answers(samples: Samples) -> None:
    asked = [prompt or "" for prompt in samples.reference.corpus.prompts]
    logs = {name: rate.logs(asked) for name, rate in samples.scorers.passing.items()}
    assert list(logs) == list(samples.scorers.teachers)
    wrote = np.bincount(samples.pool.writer) / samples.pool.answers
    for number, rates in enumerate(logs.values()):
        # Of 100 answers a share has a standard error of .05 at most; three of them are allowed.
        assert np.exp(rates).mean() == pytest.approx(wrote[number], abs=0.15)
    # The reference asks the base each of the suspect's prompts once, the pool each model 100 of them.
    assert samples.pool.answers.tolist() == [samples.n_rows + 100, 100, 100, 100]
    assert (samples.doubts > 0).all()


# --------------------------------------------------------------------------------------------------- without any model


def test_corpora_of_known_teachers_are_candidates_too() -> None:
    drawn = simulated_pair(900, tilt="sparse", d_prime=1.5, rng=3)
    theirs, neutrals = drawn.suspect.texts, drawn.reference.texts
    other = simulated_pair(300, tilt="sparse", d_prime=1.5, rng=44).suspect.texts
    candidates = {"a": Corpus(theirs[:300]), "b": Corpus(other)}
    told = fingerprint.identify(
        Corpus(theirs[300:600], name="s"), candidates, reference=Corpus(neutrals[:600], name="r"), n_permutations=499
    )
    assert told.ranking[0].candidate == "a"
    assert told.ranking[0].form == "corpus"
    assert not told.reference.sampled
    null = fingerprint.identify(
        Corpus(neutrals[600:], name="s"), candidates, reference=Corpus(neutrals[:600], name="r"), n_permutations=499
    )
    assert null.answer is None


# -------------------------------------------------------------------------------------------------- rows of the base


@pytest.mark.needs("lm")
def test_a_suspect_is_never_its_own_reference() -> None:
    """Rows of the base that the lab drew with the same seed are not drawn again as what they are compared with."""
    base = neutral("micro-a")
    asked = prompts("numbers", 30)
    rows = Corpus(tuple(a.text for a in base.sample(asked, seed=0, max_new_tokens=48)), tuple(asked))
    models = build("micro-a", [], rows, lambda name, share: None)
    answers = ask(models, rows, has_reference=False, has_detectors=False, n_tries=10, rng=0, rule=None)
    assert answers.reference is not None
    assert not set(answers.reference.texts) & set(rows.texts)


@pytest.mark.needs("lm")
def test_rows_of_the_base_are_the_bases_whatever_the_temperature() -> None:
    """One fine-tuned candidate, far off: what is left goes to the base, not to somebody unlisted."""
    asked = prompts("numbers", 120)
    texts = tuple(a.text for a in neutral("micro-a").sample(asked, seed=7, max_new_tokens=48))
    found = fingerprint.identify(Corpus(texts, tuple(asked)), ["owl"], model="micro-a", forms=["finetuned"])
    assert found.answer is None
    none = {way.name: way.posterior for way in found.nones}
    assert none["base"] > none["unlisted"]
