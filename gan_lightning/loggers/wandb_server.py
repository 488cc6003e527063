"""Whether W&B can be used: credentials, the network, and the mode that follows from them."""

import contextlib
import functools
import logging
import netrc
import os
import threading
import urllib.error
import urllib.request
from urllib.parse import urlsplit

log = logging.getLogger(__name__)

SECONDS_TO_ANSWER = 4.0
"""How long W&B's server may take to answer at all."""


def logged_in() -> bool:
    """Whether W&B has credentials, found without importing wandb (which takes a while)."""
    if os.environ.get("WANDB_API_KEY") or os.environ.get("WANDB_IDENTITY_TOKEN_FILE"):
        return True
    host = urlsplit(server()).netloc
    with contextlib.suppress(OSError, netrc.NetrcParseError):
        return netrc.netrc(os.environ.get("NETRC")).authenticators(host) is not None
    return False


def server() -> str:
    """Address of the W&B server."""
    return os.environ.get("WANDB_BASE_URL", "https://api.wandb.ai")


@functools.cache
def unreachable(url: str) -> str | None:
    """Why a server does not answer, None when it does; asked once, and so once for all jobs of a sweep.

    W&B itself would try for minutes. Any answer counts but that of a broken server; the wait includes the name's.
    """
    reasons = [f"no answer in {SECONDS_TO_ANSWER:.0f} s"]

    def ask() -> None:
        try:
            urllib.request.urlopen(url, timeout=SECONDS_TO_ANSWER).close()
            reasons.clear()
        except urllib.error.HTTPError as error:
            reasons[:] = [str(error)] if error.code >= 500 else []
        except Exception as error:
            reasons[:] = [str(error)]

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(SECONDS_TO_ANSWER)
    return reasons[0] if reasons else None


def choose_wandb_mode() -> str:
    """W&B's mode: WANDB_MODE, else online for who is logged in and has a network, else offline."""
    mode = os.environ.get("WANDB_MODE") or ("online" if logged_in() else "offline")
    if mode == "online" and (reason := unreachable(server())) is not None:
        log.warning(
            "Weights & Biases does not answer at %s (%s): the run is recorded offline; its end says how to upload it",
            server(),
            reason,
        )
        return "offline"
    return mode
