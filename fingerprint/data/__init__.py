"""Rows come in and files go out: corpora, how they are read, which rows answer the same prompt."""
