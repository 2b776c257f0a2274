"""Scores that were lost: of two scorers at a time one could mark a current score as superseded."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Have every version scored again that has a day without a current score.

    That may also be a day whose count was withdrawn; scoring it again changes nothing.
    """
    op.execute(
        sa.text(
            "DELETE FROM progress WHERE version_id IN ("
            "SELECT version_id FROM scores GROUP BY version_id, country, horizon "
            "HAVING MIN(CASE WHEN superseded THEN 1 ELSE 0 END) = 1)"
        )
    )
