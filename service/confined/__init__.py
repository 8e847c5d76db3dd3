"""Work that hostile input may blow up, in a child process that can be killed without harm to its parent."""
