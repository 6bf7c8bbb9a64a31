"""`python -m remit_demo`: tell the story of a running server; `remit up --demo` starts this."""

import os
import signal
import sys

from remit_demo.command import CommandFailed
from remit_demo.story import StoryBroken, main

if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        main(dict(os.environ))
    except (StoryBroken, CommandFailed) as broken:
        print(f"the demonstration stopped: {broken}", file=sys.stderr, flush=True)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(0)
