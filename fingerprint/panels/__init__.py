"""Panels: what conditioning is known to do to models, as prior knowledge for the test of other corpora."""
