"""What Alembic runs: the steps, on the connection and in the transaction of the caller."""

from __future__ import annotations

from alembic import context

from visteer.edits.schema import VERSION_TABLE, metadata

if hasattr(context, "config"):  # Alembic has it only while it runs; an import alone does nothing.
    context.configure(
        connection=context.config.attributes["connection"],
        target_metadata=metadata,
        version_table=VERSION_TABLE,
        transactional_ddl=True,
    )
    context.run_migrations()
