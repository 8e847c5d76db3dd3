"""The client of the PACS: finds studies there, and has those retrieved that are missed or were before."""
