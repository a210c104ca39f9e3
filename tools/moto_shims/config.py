"""AWS Config: PutEvaluations works outside test mode, and times are numbers, as SDKs expect them."""

import re
from datetime import datetime

from moto.config.models import ConfigBackend
from moto.config.responses import ConfigResponse

_put_evaluations = ConfigBackend.put_evaluations


def put_evaluations(self, evaluations=None, result_token=None, test_mode=False):
    return _put_evaluations(self, evaluations, result_token, True)


ConfigBackend.put_evaluations = put_evaluations


def with_epoch_times(answer):
    def response(self):
        body = answer(self)
        if not isinstance(body, str):
            return body
        stamp = r'"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d+)?\+00:00)"'
        return re.sub(stamp, lambda found: str(datetime.fromisoformat(found[1]).timestamp()), body)

    return response


for _name in ("get_resource_config_history", "batch_get_resource_config"):
    setattr(ConfigResponse, _name, with_epoch_times(getattr(ConfigResponse, _name)))
