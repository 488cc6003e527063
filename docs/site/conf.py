"""Sphinx's configuration of the site; `python -m docs.site` builds it."""

import gan_lightning

project = "gan_lightning"
author = "the gan_lightning contributors"
release = gan_lightning.__version__
html_title = f"gan_lightning {release}"
language = "en"

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "docs.site.mathml",
    "docs.site.docstrings",
]
root_doc = "index"
highlight_language = "text"
default_role = "code"

# Pages: Markdown as GitHub reads it, notebooks as they were last run
myst_enable_extensions = ["dollarmath"]
myst_dmath_double_inline = True
myst_heading_anchors = 4
nb_execution_mode = "off"
nb_ipywidgets_js: dict[str, dict[str, str]] = {}  # its scripts would come from other hosts
html_math_renderer = "mathml"

# The API, from docstrings; other projects' names are not links, because reading their indexes takes a network
autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"
autodoc_preserve_defaults = True
python_use_unqualified_type_names = True
napoleon_numpy_docstring = False
napoleon_use_rtype = False
napoleon_use_ivar = True
nitpicky = True
INTERNAL = r"RunFolder|TorchvisionData|Resizable|Classifier|Facts|GANModule|Autoencoder"
nitpick_ignore_regex = [("py:.*", rf"(?!gan_lightning\b).*|.*\.({INTERNAL})")]

html_theme = "furo"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sphinx = False
html_show_copyright = False
