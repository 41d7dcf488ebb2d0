"""What `fieldfare verify` finds: one row that does not agree with what was recorded elsewhere."""

import msgspec


class Finding(msgspec.Struct, frozen=True):
    """A row of the books that is not what an independent record says it should be."""

    table: str
    """The table with its schema, for instance `catalog.price`."""
    key: str
    """The row in that table: `project_id=18 effective_at=2026-01-31T09:30:00+00:00`."""
    message: str
    """What is wrong, with both values and the record that it is held against."""

    def __str__(self) -> str:
        return f"{self.table} {self.key}: {self.message}"
