"""The languages that people are written to in: an account's, a mail's, a certificate's."""

from typing import Literal

Language = Literal["en", "de", "fr", "es"]
