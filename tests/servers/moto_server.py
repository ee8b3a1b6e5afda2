"""AWS posture for tests: moto 5.2.5 in its own environment, on 127.0.0.1, stopped by pid. State is in memory.

``python -m tests.servers.moto_server --port 0`` starts one, prints ``{"url": …, "pid": …}`` and stops on SIGTERM or after
``--seconds`` (bounded life). What moto gets wrong is tested on recorded shapes instead (tests/fakes/aws_wire.py).
"""

import urllib.request

from tests.servers.http_server import HttpServer


class Moto(HttpServer):
    """One server process."""

    environment = "aws"
    ready = "/moto-api/"

    def arguments(self) -> list[str]:
        return ["moto.server", "-H", "127.0.0.1", "-p", str(self.port)]

    def variables(self) -> dict[str, str]:
        return {"AWS_EC2_METADATA_DISABLED": "true"}

    def reset(self) -> None:
        """Forget everything."""
        request = urllib.request.Request(f"{self.url}/moto-api/reset", method="POST")
        with urllib.request.urlopen(request, timeout=10) as answer:
            answer.read()


if __name__ == "__main__":
    Moto.main(__doc__ or "")
