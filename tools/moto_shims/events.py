"""EventBridge: deliveries to SQS name the account, disabled rules deliver nothing, unknown targets are no server error."""

from moto.events.models import Rule
from moto.events.utils import EventTemplateParser

EventTemplateParser.DEFAULT_EVENT_INPUT_TEMPLATE = EventTemplateParser.DEFAULT_EVENT_INPUT_TEMPLATE.replace(
    '"source":', '"account": "<account>", "source":'
)

_send_to_targets = Rule.send_to_targets


def send_to_targets(self, event, transform_input=True):
    if self.state == "DISABLED":
        return
    try:
        _send_to_targets(self, event, transform_input)
    except NotImplementedError:
        pass


Rule.send_to_targets = send_to_targets
