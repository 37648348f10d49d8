"""Photographs of users, outside the graph: a trained system works on files that DVC need not know."""
