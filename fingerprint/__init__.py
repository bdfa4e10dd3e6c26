"""Is a data set written by a model with a hidden trait? Exact, calibrated comparisons of two corpora."""

from fingerprint import features, lab
from fingerprint.corpus import Corpus
from fingerprint.detection import detect
from fingerprint.reading import read
from fingerprint.report import Estimate, Report

__all__ = ["Corpus", "Estimate", "Report", "detect", "features", "lab", "read"]
