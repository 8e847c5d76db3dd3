"""Subcommands that this room gives to the `overread` command."""
