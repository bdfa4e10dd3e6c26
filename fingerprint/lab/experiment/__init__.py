"""The whole experiment in one folder: base -> teacher -> rows -> rule -> students, and what `detect` says of the rows.

Every step leaves a file and is skipped when the file is there: interrupted and started again, the work goes on.
"""

from fingerprint.lab.experiment.folder import run
from fingerprint.lab.experiment.plan import Plan
from fingerprint.lab.experiment.result import Arm, Result

__all__ = ["Arm", "Plan", "Result", "run"]
