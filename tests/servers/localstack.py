"""S3 with Object Lock and KMS for tests: LocalStack 4.13.1 in its own environment, on 127.0.0.1, stopped by pid.

``python -m tests.servers.localstack --port 0`` starts one, prints ``{"url": …, "pid": …}`` and stops on SIGTERM or
after ``--seconds`` (bounded life). The default gateway listens on all addresses; hypercorn honours GATEWAY_LISTEN.
"""

from tests.servers.http_server import HttpServer


class LocalStack(HttpServer):
    """One server process; state is in memory and gone with it."""

    environment = "localstack"
    ready = "/_localstack/health"
    patience = 2  # it waits for clients that keep their connections open; there is nothing to lose

    def arguments(self) -> list[str]:
        return ["localstack.runtime.main"]

    def variables(self) -> dict[str, str]:
        return {
            "GATEWAY_LISTEN": f"127.0.0.1:{self.port}",
            "GATEWAY_SERVER": "hypercorn",
            "SERVICES": "s3,kms",
            "DISABLE_EVENTS": "1",
            "SKIP_SSL_CERT_DOWNLOAD": "1",
            "DNS_ADDRESS": "0",
            "FILESYSTEM_ROOT": str(self.folder / "state"),
            "LOCALSTACK_HOST": f"localhost:{self.port}",
        }


if __name__ == "__main__":
    LocalStack.main(__doc__ or "")
