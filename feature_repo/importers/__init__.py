"""Known public data sets as raw tables: one importer a module, each reports in numbers what it left out."""
