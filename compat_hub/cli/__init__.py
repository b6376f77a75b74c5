"""The command `compat-hub`: a file for each subcommand, which parses, calls a tool and prints.

`main` lists the subcommands; each is imported when it is used.
May import: every other room.
"""
