"""Strengths of edits: how far a direction has to go before judge A sees the attribute."""
