"""Settings of the documentation: `make docs`."""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parent
sys.path[:0] = [str(HERE / "extensions"), str(ROOT)]

_PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]

project = "fingerprint"
author = "The fingerprint developers"
copyright = author
version = release = _PROJECT["version"]

extensions = [
    "myst_nb",  # pages in Markdown, notebooks with their stored outputs
    "sphinx.ext.autodoc",
    "numpydoc",
    "repository_files",
    "notebooks",
    "accessible",
    "gallery_pages",
    "generated",
    "mathml",
]
exclude_patterns = ["_build"]
default_role = "py:obj"  # `name` in a docstring is a link where it is one of the names here

myst_enable_extensions = ["dollarmath", "deflist"]
myst_heading_anchors = 3
nb_execution_mode = "off"  # the tests run notebooks, and their outputs are kept
nb_render_markdown_format = "myst"

autodoc_typehints = "none"  # docstrings say what arguments are, in words
autodoc_member_order = "bysource"
numpydoc_show_class_members = False  # members are shown by autodoc, once

html_theme = "furo"
html_title = "fingerprint"
html_static_path = ["static"]
html_css_files = ["pages.css"]
html_copy_source = False
html_show_sphinx = False
html_math_renderer = "mathml"
pygments_style = "a11y-high-contrast-light"
pygments_dark_style = "a11y-high-contrast-dark"
html_theme_options = {
    "light_css_variables": {"color-brand-primary": "#a8400f", "color-brand-content": "#a8400f"},
    "dark_css_variables": {"color-brand-primary": "#f4915c", "color-brand-content": "#f4915c"},
}
