"""Detectors trained on known teachers: training, storage, scanning, monitoring."""
