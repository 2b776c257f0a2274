"""What any app does with HTTP: problems, middleware, queries, representations, documents."""
