"""The tests: `make test` runs them all, `make unit` those that need no database."""
