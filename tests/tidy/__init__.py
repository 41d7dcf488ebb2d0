"""Rules of the house that no tool of its own holds: SQL, schema, migrations, imports, files."""
