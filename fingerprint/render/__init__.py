"""Ways out of a finished report: terminal text, JSON values, polars frames, pictures and an HTML page."""
