"""How sure a head is of its own probabilities: an interval that the served graph can work out."""
