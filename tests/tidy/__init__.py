"""Rules of the house that a tool of its own does not hold: SQL, schema, migrations, imports, files."""
