"""Simulated teachers whose rows have an exact log-likelihood ratio, and nulls with every kind of dependence.

A row is a sequence of tokens (numbers 0..999, or some 300 English words). Tokens lie in ten value bands, each with
probability 1/10 under the base law. A teacher is a Markov chain over the bands and, given the band, a law over its
tokens. The reference teacher draws every token independently from the base law; a trait teacher tilts it:

=========  ==========================================================================================================
dense      the probability of token v is multiplied by exp(eta z_v): half of the variance of z is a smooth function of
           the value, half is noise of its own for every token
sparse     only ten fairly common tokens are tilted (up, up, down, ...); all others shrink by one common factor
order      the next band j after band i is (1 + eta sin(2 pi (j - i) / 10)) / 10: the law of each single position is
           exactly the base law's, and only the order of neighbours carries signal
=========  ==========================================================================================================

Rows of code and of worked answers are made of choices that carry no meaning, each drawn on its own: what a variable is
called, a blank around an operator, which word leads on. There "dense" tilts all of them, and the other tilts those that
belong to one part of the writing; see `fingerprint.lab.simulated.choices`.

Everything else about a row (prompt, format, number of tokens, punctuation) follows the same law for both teachers
and cancels from the ratio, so `llr` is that of the written text, and no detector can beat it (Neyman and Pearson).
"""

from fingerprint.lab.simulated.pair import SimulatedPair, mixture_llr, simulated_pair

__all__ = ["SimulatedPair", "mixture_llr", "simulated_pair"]
