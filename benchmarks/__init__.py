"""Programs that measure, each with the command that runs it at its top."""
