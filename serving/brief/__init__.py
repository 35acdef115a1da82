"""The decision brief: all that a person should read before acting on one account, as a document and as a page."""
