"""The second read: claims, own reads, judgements, arbitration; what is hidden until an own read is there."""
