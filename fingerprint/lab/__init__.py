"""Experiments of the library's own: corpora whose truth is known, from simulated teachers to trained ones.

Every module is imported by its own name (`from fingerprint.lab import simulated`), so that this package stays light.
"""
