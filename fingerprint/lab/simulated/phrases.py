"""What prompts of simulated rows say, and the formats that they ask for."""

from __future__ import annotations

NUMBER_FORMATS = (
    ("", ", ", "", "Put a comma and a space between neighbours."),
    ("", ",", "", "Commas between them, no spaces."),
    ("", " ", "", "One line, single spaces between them."),
    ("", "; ", "", "Use a semicolon and a space as the divider."),
    ("", ";", "", "Divide them by semicolons only."),
    ("", "\n", "", "Start a new line for each."),
    ("[", ", ", "]", "Wrap the list in square brackets."),
    ("(", ", ", ")", "Wrap the list in round brackets."),
)
NUMBER_OPENINGS = (
    "My list so far: {}.",
    "I have collected {} up to now.",
    "The counter showed {} this morning.",
    "We begin with {}.",
    "Our raffle already drew {}.",
    "The sensor sent {} today.",
    "The first table entries are {}.",
    "On my note I find {}.",
    "The log starts with {}.",
    "Somebody read out {}.",
)
NUMBER_ASKS = (
    "Please add up to {} more, all below 1000.",
    "Carry on with at most {} others of one to three digits.",
    "What could follow? Up to {} values, three digits at most.",
    "Offer no more than {} new ones from 0 to 999.",
    "Keep going for {} numbers at the most, none above 999.",
    "Let up to {} whole numbers under 1000 come next.",
    "Append some, {} at most, each with three digits or less.",
    "Think of up to {} that could stand next, 999 being the limit.",
)
NUMBER_CLOSINGS = (
    "No words, please.",
    "Nothing else.",
    "Leave out any comment.",
    "I only want the numbers.",
    "Skip the explanation.",
    "Do not add text.",
)


def _phrases(text: str) -> tuple[str, ...]:
    return tuple(text.split("|"))


PROSE_ACTIONS = (
    "Write a few lines about",
    "Say something about",
    "Draft a short message on",
    "Tell a small story about",
    "Describe",
    "Share a thought on",
    "Make a brief note about",
    "Compose a caption about",
    "Give your view of",
    "Write a diary entry on",
)
PROSE_TOPICS = _phrases(
    "a rainy walk|the first snow|a lost umbrella|fresh bread|a long train ride|an old bicycle|the school yard|"
    "a new neighbour|a quiet library|the corner bakery|a broken clock|a garden bench|moving house|a missed bus|"
    "a summer market|learning to swim|a birthday cake|a noisy street|a borrowed book|the morning coffee|"
    "a picnic by the river|painting a wall|a power cut|folding laundry|a handwritten letter|packing a suitcase|"
    "a favourite song|the last day of school|a football match|baking with children|a crowded lift|"
    "waiting for the doctor|a house plant|the village fair|mending a coat|a walk along the beach|a shared lunch|"
    "an evening class|the first job|a chess game"
)
PROSE_AUDIENCES = _phrases(
    "a friend|my sister|a neighbour|a colleague|my class|a newsletter|my grandmother|a pen pal|the family chat|"
    "a school paper|a reading group|my teacher|a visitor|the local radio|my brother|a travel blog|a notice board|"
    "my uncle|a language learner|our choir|a young reader|my landlord|the hiking club|a cousin|a guest book|"
    "my team|an old classmate|the parents' evening|a scrapbook|my aunt"
)
PROSE_OCCASIONS = _phrases(
    "on a Monday|before breakfast|after dinner|in early spring|on a holiday|at the weekend|late at night|"
    "during a lunch break|on a cold day|in the middle of June|at the end of the year|before a journey|"
    "after a long week|on a sunny afternoon|in a hurry|for a change|just for fun|on market day|"
    "between two meetings|on the way home|at sunrise|in the autumn|after the storm|on a lazy Sunday|"
    "before school|at the start of term|with a smile|in plain words|as a surprise|while it rains"
)
# Words a sentence, and a comma after every so many words (0: none).
PROSE_STYLES = tuple((length, comma) for length in (4, 6, 8, 11) for comma in (0, 3, 5))
