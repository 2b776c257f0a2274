"""healthcheck.py: ready, or one line that says why not. test_server.py has it with the real server."""

import socket
import threading

import pytest

from ..served import healthcheck


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (b"HTTP/1.1 200 OK\r\n\r\n", "ready"),
        (b"HTTP/1.1 404 Not Found\r\n\r\n", "ready"),  # an app that has no /readyz
        (b"HTTP/1.1 503 Service Unavailable\r\n\r\n", "not ready: status 503"),
        (b"SSH-2.0-OpenSSH_9.6\r\n", "not ready: SSH-2.0-OpenSSH_9.6"),
        (b"", "not ready: Remote end closed connection without response"),
    ],
)
def test_a_container_is_as_ready_as_its_server_answers(answer: bytes, said: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(10)

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                assert connection.recv(1000).startswith(b"GET /readyz HTTP/1.1\r\n")
                connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        done = healthcheck(server.getsockname()[1])
        thread.join()
    assert (done.stdout + done.stderr).splitlines() == [said]
    assert done.returncode == (said != "ready")


def test_where_nothing_listens_it_is_not_ready() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        done = healthcheck(free.getsockname()[1])
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("not ready: ") and len(done.stderr.splitlines()) == 1
