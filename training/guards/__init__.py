"""The input guard of chest radiograph models: `python -m training.guards` trains, measures, describes it."""
