"""Estimative wording, findings and the PDF briefing (floor 5)."""
