"""What follows from who calls, whereto, for which model and under which snapshot.

It is kept with what a request's headers told (gw._fast.heads), for the next calls of the same session: they are almost always
alike, and all of this is the same for them. `columns_of` (gw.settle) makes it and finds it again. There are no more of these than
gw._fast.heads keeps requests (256), each of a few kilobytes; so what an idle session holds of an older snapshot is bounded, too.
"""

from gw.admit.card import Trail
from gw.deployment import Deployment
from gw.domain.account import Account
from gw.domain.budget_book import PathRules
from gw.pricing.book import Terms

Number = int  # compiled, C integers: known.pxd
Flag = bool


class Known:
    __slots__ = (
        "account", "credential", "deployment", "device", "head", "model", "own_credential", "ruled", "rules", "session_id",
        "terms", "trail", "version", "who", "who_columns",
    )  # fmt: skip

    def __init__(  # noqa: PLR0917 - as fits
        self,
        account: Account,
        deployment: Deployment,
        session_id: str,
        device: str,
        model: str | None,
        version: Number,
        who: tuple[str, ...],
    ) -> None:
        self.account = account
        self.deployment = deployment
        self.session_id = session_id
        self.device = device
        self.model = model
        self.version = version  # of the snapshot
        self.who = who  # the columns of WHO
        self.who_columns: bytes | None = None  # of it, as they stand in a frame
        self.rules: PathRules | None = None  # of budgets and limits
        self.ruled = False  # there are some
        self.terms: Terms | None = None
        self.trail: Trail | None = None
        self.head: bytes | None = None  # as it goes upstream
        self.credential: bytes | None = None  # with this one
        self.own_credential = False

    def fits(  # noqa: PLR0917 - compiled, it is a C function
        self,
        account: Account,
        deployment: Deployment | None,
        session_id: str,
        device: str,
        model: str | None,
        version: Number,
    ) -> Flag:
        """Under one snapshot, accounts and deployments are the same if they are the same objects; texts mostly are, too."""
        return (
            self.account is account
            and self.deployment is deployment
            and self.version == version
            and self.session_id == session_id
            and self.device == device
            and self.model == model
        )

    def trail_of(self, estimator: object) -> Trail:
        if self.trail is None or self.trail.of is not estimator:
            self.trail = Trail(estimator)
        return self.trail
