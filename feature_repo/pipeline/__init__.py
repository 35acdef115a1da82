"""Daily features per account as Ibis expressions, one view a module, and their incremental build."""
