"""A target behind an apprise address: mail, Slack, Teams, PagerDuty, a webhook."""

from collections.abc import Mapping

from evidence.alert.ledger import Alert
from evidence.alert.message import body, title
from evidence.store.notify import Service


class ServiceTarget:
    """See :class:`evidence.alert.ledger.Target`. Raises ``ConfigError`` for what is no apprise address."""

    def __init__(self, name: str, url: str, severity: str, entity: str) -> None:
        self.name, self.severity = name, severity
        self._entity = entity
        self._service = Service(url, f"alerts.{name}")

    def send(self, alert: Alert) -> Mapping[str, str]:
        """Send one message for all changes of the alert."""
        self._service.send(title(alert, self._entity), body(alert))
        return {}
