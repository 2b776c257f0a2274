"""HTTP as every app here speaks it: problems, middleware, queries, representations, documents, settings."""
