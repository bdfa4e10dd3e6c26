"""Teachers behind an OpenAI-compatible endpoint: rows without a GPU in the house."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Unpack

from fingerprint.data import digests
from fingerprint.endpoints.endpoint import Endpoint, Question
from fingerprint.endpoints.replies import Reply
from fingerprint.lm.sampling import Sampled, SamplingOptions

# Equal answers that show that nothing is drawn: sampled lists of numbers hardly ever come four times in a row.
ALIKE_DRAWS = 4
# What the writing of rows sets itself, row by row.
_OWN_FIELDS = ("temperature", "seed", "messages", "model", "stream", "n")


@dataclass(frozen=True)
class EndpointTeacher:
    """A model behind an endpoint that writes rows, under a system message or none.

    `fingerprint.lm.teachers.neutral`, `prompted` and `placebo` make one from an `Endpoint`. A fine-tuned model is one
    by its own name: ``EndpointTeacher(Endpoint("ft:my-owl"), "finetuned: owl")``.

    Attributes
    ----------
    endpoint : Endpoint
        Where the model is asked.
    name : str
        For provenance: "prompted: owl".
    system : str or None
        The system message that stands before every prompt. None sends none; what the model's own chat template puts
        there is the server's.
    sends_seed : bool
        Whether requests carry a seed. Leave it out for servers that refuse the field. With one, a server that honours
        it writes the same row again; many do so only in batches of the same size, or not at all.

    Raises
    ------
    ValueError
        If the endpoint's further fields set what the writing of rows sets: the provenance of rows would be wrong.
    """

    endpoint: Endpoint
    name: str
    system: str | None = None
    sends_seed: bool = True

    def __post_init__(self) -> None:
        taken = [name for name in _OWN_FIELDS if self.endpoint.request.get(name) is not None]
        if taken:
            raise ValueError(f"request must leave out what rows are written with, got {taken[0]!r}; state it there")

    def sample(self, prompts: Sequence[str], *, seed: int = 0, **options: Unpack[SamplingOptions]) -> list[Sampled]:
        """One completion a prompt; options as for `fingerprint.lm.sampling.sample`, the batch size without effect."""
        first = options.get("first_row", 0)
        portions = self.write(
            dict(enumerate(prompts, first)),
            seed=seed,
            temperature=options.get("temperature", 1.0),
            max_new_tokens=options.get("max_new_tokens", 128),
            batch_size=1,
        )
        found = {row: sampled for portion in portions for row, sampled in portion.items()}
        return [found[row] for row in range(first, first + len(prompts))]

    def provenance(self) -> dict[str, object]:
        """Model, host, name, system message and further fields; never the key, nor the address it is sent to."""
        return {
            "model": self.endpoint.model,
            "endpoint": self.endpoint.host,
            "teacher": self.name,
            "teacher_system": self.system,
            "request": self.endpoint.request,
            "sends_seed": self.sends_seed,
        }

    def rows_together(self, batch_size: int) -> int:
        """Every row is a request of its own."""
        return 1

    def write(
        self, prompts: Mapping[int, str], *, seed: int, temperature: float, max_new_tokens: int, batch_size: int
    ) -> Iterator[dict[int, Sampled]]:
        """Completions by the numbers of their rows, as they come: see `fingerprint.lm.writers.RowWriter`."""
        length = "max_completion_tokens" if self.endpoint.host == "api.openai.com" else "max_tokens"
        questions = {
            row: Question(
                prompt,
                self.system,
                {
                    "temperature": temperature,
                    length: max_new_tokens,
                    "seed": self.row_seed(seed, row) if self.sends_seed else None,
                },
            )
            for row, prompt in prompts.items()
        }
        missing = 0
        for portion in self.endpoint.replies(questions):
            missing += sum(reply is None for reply in portion.values())
            yield {row: self._sampled(reply, seed, row) for row, reply in portion.items() if reply is not None}
        if missing:
            raise ConnectionError(
                f"the endpoint at {self.endpoint.host} must reply, got no reply to {missing} of {len(prompts)} rows "
                f"(the last: {self.endpoint.meter.last_fault}); run it again"
            )

    def draws_alike(self, prompt: str, temperature: float, max_new_tokens: int) -> bool:
        """Whether the server gives one answer to a prompt however often it is asked, at a temperature above 0.

        Some servers ignore the temperature unless the model's own settings say that it samples: rows are then the
        likeliest ones and no draws. Asks `ALIKE_DRAWS` times.
        """
        if temperature == 0:
            return False
        asked = [prompt] * ALIKE_DRAWS
        answers = self.sample(asked, seed=-1, temperature=temperature, max_new_tokens=max_new_tokens)
        return len({answer.text for answer in answers}) == 1

    def row_seed(self, seed: int, row: int) -> int:
        """The seed of a row: another teacher, seed or row has other draws, also where they answer the same prompt.

        Below 2 ** 31, which every server takes.
        """
        return digests.number(f"{seed}\0{self.endpoint.model}\0{self.system}\0{row}", 4) % 2**31

    def _sampled(self, reply: Reply, seed: int, row: int) -> Sampled:
        details = {
            "row_seed": self.row_seed(seed, row) if self.sends_seed else None,
            "finish_reason": reply.finish_reason,
            "served_model": reply.model,
            "prompt_tokens": reply.prompt_tokens,
            "completion_tokens": reply.completion_tokens,
        }
        return Sampled(reply.text, reply.finish_reason == "stop" and not reply.is_refusal, details)
