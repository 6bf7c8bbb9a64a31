"""Where the key-encryption key comes from: the program of the settings, else the file."""

from remit.kernel.errors import Conflict
from remit.kernel.sealing import Kek
from remit.platform.settings.model import Settings
from remit.platform.storage.kek import read_kek
from remit.platform.storage.kek_command import ask_kek


class KekElsewhere(Conflict):
    """The key-encryption key comes from a program: there is no file here that could be replaced."""

    code = "kek_elsewhere"


def held_kek(settings: Settings) -> Kek:
    """The key of this installation; raises as `ask_kek` or `read_kek` do."""
    keys = settings.keys
    if keys.kek_command:
        return ask_kek(keys.kek_command, seconds=keys.kek_patience.total_seconds())
    return read_kek(settings.kek_file)


def require_file(settings: Settings) -> None:
    """Refuse what only a key in a file can be asked for; raises `KekElsewhere`."""
    if settings.keys.kek_command:
        raise KekElsewhere(
            "the key-encryption key comes from `keys.kek_command`, so it isn't replaced here",
            next_step="back up, set `keys.kek_file` to a file with the present key, and rotate that",
        )
