"""The service settings of Systems Manager, which moto lacks. Source: Systems Manager API Reference, GetServiceSetting,
UpdateServiceSetting, ResetServiceSetting.
"""

import json

from moto.ssm.responses import SimpleSystemManagerResponse

# What AWS answers where nobody set it.
DEFAULTS = {"/ssm/documents/console/public-sharing-permission": "Enable"}


def settings_of(response):
    backend = response.ssm_backend
    if not hasattr(backend, "service_settings"):
        backend.service_settings = {}
    return backend.service_settings


def named(response):
    setting = response._get_param("SettingId")
    return "/" + setting.split(":servicesetting/", 1)[1] if setting.startswith("arn:") else setting


def get_service_setting(self):
    name, settings = named(self), settings_of(self)
    shown = {
        "SettingId": name,
        "SettingValue": settings.get(name, DEFAULTS.get(name, "")),
        "Status": "Customized" if name in settings else "Default",
        "ARN": f"arn:aws:ssm:{self.region}:{self.current_account}:servicesetting{name}",
    }
    return json.dumps({"ServiceSetting": shown})


def update_service_setting(self):
    settings_of(self)[named(self)] = self._get_param("SettingValue")
    return "{}"


def reset_service_setting(self):
    settings_of(self).pop(named(self), None)
    return get_service_setting(self)


SimpleSystemManagerResponse.get_service_setting = get_service_setting
SimpleSystemManagerResponse.update_service_setting = update_service_setting
SimpleSystemManagerResponse.reset_service_setting = reset_service_setting


def refusal(call):
    """At most 20 accounts a call: Systems Manager API Reference, ModifyDocumentPermission."""
    if call.action != "ModifyDocumentPermission":
        return None
    asked = json.loads(call.body)
    for name in ("AccountIdsToAdd", "AccountIdsToRemove"):
        if len(asked.get(name) or []) > 20:
            parameter = name[0].lower() + name[1:]
            why = f"Value at '{parameter}' failed to satisfy constraint: Member must have length less than or equal to 20"
            return (400, "ValidationException", f"1 validation error detected: {why}")
    return None
