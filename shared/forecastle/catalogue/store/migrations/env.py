"""What Alembic runs, in this process: the scripts in `versions/`, on the connection that `upgrade` has."""

from alembic import context

context.configure(connection=context.config.attributes["connection"])
context.run_migrations()
