"""Runs the work of both command lines, and reports any failure in one line."""

import signal
import sys
from collections.abc import Callable

from forecastle.artifact import ArtifactError
from forecastle.observations import ObservationsError
from forecastle.project.images import ImagesError
from forecastle.project.retraining import Refused, RetrainingError


def run(model: str, work: Callable[[], None]) -> int:
    """Do the work and return the exit code. SIGTERM interrupts it as Ctrl-C does, so that it tidies up."""
    # Not the handler of SIGINT: a script's job in the background ignores that.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        work()
    except Refused as error:
        reason = f"the challenger is refused, {error}; the incumbent and the data in use stay"
    except (RetrainingError, ObservationsError, ArtifactError, ImagesError) as error:
        reason = str(error)
    except KeyboardInterrupt:
        reason = "interrupted; what was not replaced before stays"
    else:
        return 0
    print(f"{model}: {reason}", file=sys.stderr)
    return 1
