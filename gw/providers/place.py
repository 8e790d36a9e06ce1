"""A place: what the configuration says of an upstream, as far as its provider's rules depend on it."""

from msgspec import Struct, field


class Place(Struct, frozen=True):
    """One configured upstream in its provider's eyes. Empty where the configuration says nothing."""

    provider: str = "anthropic"
    api: str = "auto"  # "auto", "anthropic", "chat", "responses", "converse", "invoke": which of several is spoken
    dialect: str = ""  # of a custom provider
    base_url: str = ""  # as configured, without a slash at its end; "" the provider's own
    region: str = ""
    project: str = ""
    resource: str = ""
    api_version: str = ""
    auth: str = ""  # how an API key is sent; "" as the provider wants it
    deployments: dict[str, str] = field(default_factory=dict)  # id as sent upstream -> the model that stands behind it

    def model_behind(self, model: str) -> str:
        """The model that is asked for by `model`, an id as it is sent upstream: decides dialect and price."""
        return self.deployments.get(model, model)
