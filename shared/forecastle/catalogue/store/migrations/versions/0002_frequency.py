"""How far apart the periods are that a version forecasts. All those before forecast days."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add the column `frequency` to `versions`."""
    op.add_column("versions", sa.Column("frequency", sa.String(16), server_default="D"))
