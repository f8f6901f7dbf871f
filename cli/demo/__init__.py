"""A day in the life of the service: families, clerks and reviewers acted out over real HTTP."""
