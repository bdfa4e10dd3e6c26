"""Who wrote a corpus: candidates, calibration, posteriors, goodness of fit, mixtures."""
