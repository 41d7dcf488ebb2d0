"""How `/api/openapi.json` is made: types from the program, words and examples from `docs/api`.

`python -m tests.description.write` writes it anew after a change of the wire.
"""
