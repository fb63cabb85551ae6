"""A problem at a place, the ways to check it, the judge and the report."""
