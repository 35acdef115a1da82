"""What can be told of a bundle in use before labels mature: drift, importance, expected performance."""
