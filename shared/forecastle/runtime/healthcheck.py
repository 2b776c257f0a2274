"""The health check of a container: exit code 0 if its server is ready, else 1 and a line that says why.

Every container runs it every 10 s, so it imports the standard library alone.
"""

import http.client
import os
import sys


def main() -> None:
    """Ask the server; an app without `/readyz`, such as a plain FastAPI app, is ready once it answers."""
    port = int((os.environ.get("BIND") or "0.0.0.0:8000").rpartition(":")[2])
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=3)
    try:
        connection.request("GET", "/readyz")
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        sys.exit(f"not ready: {str(error).strip()}")
    if status not in (200, 404):
        sys.exit(f"not ready: status {status}")
    print("ready")


if __name__ == "__main__":
    main()
