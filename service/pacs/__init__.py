"""The client of the PACS: finds studies there, and has those brought that are missed or were before."""
