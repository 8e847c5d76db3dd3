"""Pictures and plain pixels over HTTP."""
