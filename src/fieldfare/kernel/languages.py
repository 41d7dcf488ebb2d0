"""The languages that people are written to in: an account has one, and so has each mail and paper."""

from typing import Literal

Language = Literal["en", "de", "fr", "es"]
