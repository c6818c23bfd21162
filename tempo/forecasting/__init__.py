"""Floor 3: forecasts as distributions, scenarios as priors, and their weights."""
