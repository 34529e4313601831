"""``python -m keygate_sign``: the command ``keygate-sign``."""

from .keygate_sign import main

main()
