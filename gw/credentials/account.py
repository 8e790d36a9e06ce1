"""What is configured of one account, and the credential that comes of it."""

from msgspec import Struct

from gw.credentials.aws import Aws, found_keys
from gw.credentials.azure import azure
from gw.credentials.credential import Credential
from gw.credentials.google import google
from gw.credentials.static import Key, Missing


class Account(Struct, frozen=True):
    """`kind`: "key", "aws", "google", "azure" or "none": where it comes from if there is no API key. Its repr has no secret."""

    kind: str
    auth: str = "bearer"  # how a key is sent, in words of gw.credentials.static
    service: str = ""  # of AWS signatures
    region: str = ""
    api_key: str = ""
    reason: str = ""  # why there is no API key, for who asks for one
    aws_profile: str = ""
    aws_access_key_id: str = ""
    aws_secret_access_key: str = ""
    aws_session_token: str = ""
    aws_role_arn: str = ""
    aws_external_id: str = ""
    google_credentials_file: str = ""
    azure_tenant_id: str = ""
    azure_client_id: str = ""
    azure_client_secret: str = ""

    def __repr__(self) -> str:
        return f"Account({self.kind}{', with a key' if self.api_key else ''})"


def credential_of(account: Account) -> Credential:
    """An API key wins: whoever gives one wants it used. Nothing is loaded or asked before the first `ready()`."""
    if account.api_key:
        return Key(account.auth, account.api_key)
    if account.kind == "aws":
        keys = found_keys(
            account.region,
            profile=account.aws_profile,
            access_key_id=account.aws_access_key_id,
            secret_access_key=account.aws_secret_access_key,
            session_token=account.aws_session_token,
            role_arn=account.aws_role_arn,
            external_id=account.aws_external_id,
        )
        return Aws(account.service, account.region, keys)
    if account.kind == "google":
        return google(account.google_credentials_file)
    if account.kind == "azure":
        return azure(account.azure_tenant_id, account.azure_client_id, account.azure_client_secret)
    if account.kind == "none":
        return Key("none", "")
    return Missing(account.reason or "no API key is configured")
