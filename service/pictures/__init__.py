"""Pictures and plain pixels of stored images, made in child processes within a budget of memory."""
