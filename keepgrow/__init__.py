"""The command line over the feature, training and serving packages."""
