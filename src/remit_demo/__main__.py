"""`python -m remit_demo`: tell the story of a running server; `remit up --demo` starts this."""

import os
import signal
import sys

from remit_demo.story import main

if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        sys.exit(main(dict(os.environ)))
    except KeyboardInterrupt:
        sys.exit(0)
