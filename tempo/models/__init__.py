"""Floor 2: models of counts in time, from a constant rate to self-excitation and changes of regime."""
