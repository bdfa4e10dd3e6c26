"""Preference labels: do the choices of a judge differ from a reference judge's in what the texts say?"""
