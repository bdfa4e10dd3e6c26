"""What a file holds that is no text, by its first bytes."""

from __future__ import annotations

from fingerprint.data.compression import GZIP, ZSTD

#: Bytes looked at to tell text from binary data: enough for every header below.
HEAD = 1024
_SIGNATURES = {
    b"PAR1": "Parquet (name it .parquet)",
    b"ARROW1": "an Arrow file",
    b"PK\x03\x04": "a zip archive (or .xlsx, .npz, a PyTorch checkpoint)",
    b"\x80\x02": "a pickle, which is never loaded",
    b"\x80\x03": "a pickle, which is never loaded",
    b"\x80\x04": "a pickle, which is never loaded",
    b"\x80\x05": "a pickle, which is never loaded",
    b"\x93NUMPY": "a numpy array",
    b"\x89HDF": "an HDF5 file",
    b"\x89PNG": "a PNG image",
    b"\xff\xd8\xff": "a JPEG image",
    b"%PDF-": "a PDF",
    b"SQLite format 3": "an SQLite database",
    b"BZh9": "bzip2 data (decompress it first)",
    b"\xfd7zXZ": "xz data (decompress it first)",
    GZIP: "gzip data, compressed twice",
    ZSTD: "zstd data, compressed twice",
}


def refuse_binary(head: bytes, file: str) -> None:
    """Refuse a file that is no UTF-8 text, and say what it is.

    Parameters
    ----------
    head : bytes
        The first bytes of the file, decompressed: up to `HEAD` of them.
    file : str
        What messages call it.

    Raises
    ------
    ValueError
    """
    if head.startswith((b"\xff\xfe\0\0", b"\0\0\xfe\xff")):
        raise ValueError(f"{file} must be UTF-8, got UTF-32; convert it with `iconv -f utf-32 -t utf-8`")
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise ValueError(f"{file} must be UTF-8, got UTF-16; convert it with `iconv -f utf-16 -t utf-8`")
    found = next((what for signature, what in _SIGNATURES.items() if head.startswith(signature)), None)
    if found is None and b"\0" in head:
        found = "safetensors" if head[8:9] == b"{" else "NUL bytes"
    if found is not None:
        raise ValueError(f"{file} must be text, got binary data: {found}; write the rows as JSON lines (.jsonl)")
