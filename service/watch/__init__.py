"""A watched folder: images and reports that somebody puts there are taken like anything that is sent."""
