"""The font catalogue: families, scripts, styles, licences, where each comes from, and coverage."""
