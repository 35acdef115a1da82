"""Labels, data sets, models, evaluation and export: from offline features to a bundle."""
