"""How Alembic runs here: on the one connection that `fieldfare.db.migrate` opened and locked."""

from alembic import context

context.configure(
    connection=context.config.attributes["connection"], transaction_per_migration=True
)
with context.begin_transaction():
    context.run_migrations()
