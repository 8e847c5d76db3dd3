"""The reader's desk: the worklist and the case view as server-rendered pages."""
