"""`python -m fashion_rir` is the same as the command `fashion-rir`."""

from fashion_rir.command_line import main

main()
