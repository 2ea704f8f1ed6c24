"""Run by Alembic. The store hands in its open connection; the transaction is the store's own."""

from alembic import context

from server.store.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,  # SQLite cannot alter most things in place
)
context.run_migrations()
