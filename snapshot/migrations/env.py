"""What alembic runs: the migrations, on the connection and in the transaction it is given."""

from alembic import context
from sqlmodel import SQLModel

from snapshot import tables

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=SQLModel.metadata if tables.__all__ else None,
    render_as_batch=True,
)
context.run_migrations()
