"""The hands: errands as plain functions, and the Celery app that calls them on time; they decide nothing."""
