"""`python -m remit`: the same as the `remit` script."""

from remit.surface.cli.main import main

if __name__ == "__main__":
    main()
